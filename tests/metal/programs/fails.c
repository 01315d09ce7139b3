// metal: program fails
#include "user.h"

int program(struct mk_dispatcher *self) {
    (void)self;
    return 3;
}
