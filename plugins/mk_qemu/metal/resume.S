// metal: library
// Back to what an upcall interrupted.  The range between the labels counts as disabled, so that an
// interrupt in it does not overwrite what is being restored.
#include "mk.h"

    .text
    .globl mk_resume, mk_resume_end
mk_resume:                      // mk_resume(const struct mk_frame *, volatile uint32_t *flag, uint32_t)
    mov %edx, (%rsi)            // enabled from here on, if that is 0, but for the critical range
    mov %rdi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq
mk_resume_end:
