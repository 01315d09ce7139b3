// metal: program overreach
/* Asks for what only the monitor may have; status 0 if every call was refused. */
#include "user.h"

int program(struct mk_dispatcher *self) {
    (void)self;
    bool refused = mk_call(MK_CALL_LOG, 4, 0, 0) == MK_REFUSED;
    refused &= mk_call(MK_CALL_START, 1, 0, 0) == MK_REFUSED;
    refused &= mk_call(MK_CALL_SPAWN, 1, MK_NOWHERE, 0) == MK_REFUSED;
    refused &= mk_call(MK_CALL_POWER_OFF, 0, 0, 0) == MK_REFUSED;
    refused &= mk_call(999, 0, 0, 0) == MK_REFUSED;
    refused &= mk_call(MK_CALL_NOTIFY, 999, 0, 0) == MK_REFUSED;
    return !refused;
}
