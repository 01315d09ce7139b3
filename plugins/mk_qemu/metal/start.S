// metal: library
// Where a dispatcher begins: calls program(), exits with what it returns.
#include "mk.h"
    .section .header, "a"       // struct mk_header; the addresses are user.ld's
    .quad start, data_begin, file_end, memory_end

    .text
    .globl start
start:
    mov $MK_USER_PAGE, %edi
    call program
    movslq %eax, %rdi
    mov mk_sent(%rip), %rsi
    mov $MK_CALL_EXIT, %eax
    int $MK_CALL
    ud2

    // mk_lmp(number, slot, words): words in and out
    .globl mk_lmp
mk_lmp:
    push %r12
    push %r13
    push %rdx
    mov %rdi, %rax
    mov %rsi, %rdi
    mov 0(%rdx), %rsi
    mov 16(%rdx), %r10
    mov 24(%rdx), %r8
    mov 32(%rdx), %r9
    mov 40(%rdx), %r12
    mov 48(%rdx), %r13
    mov 8(%rdx), %rdx
    int $MK_CALL
    pop %rdi
    mov %rsi, 0(%rdi)
    mov %rdx, 8(%rdi)
    mov %r10, 16(%rdi)
    mov %r8, 24(%rdi)
    mov %r9, 32(%rdi)
    mov %r12, 40(%rdi)
    mov %r13, 48(%rdi)
    pop %r13
    pop %r12
    ret
