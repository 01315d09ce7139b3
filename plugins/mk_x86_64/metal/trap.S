// metal: driver
// The border between user and driver: in by trap(), out by resume() or idle().
//
// Every entry saves all registers as a struct mk_frame on the core's stack and calls trap(), which does
// not return: the stack holds nothing between events.

    .macro stub number
    .balign 16
    .if \number == 8 || (\number >= 10 && \number <= 14) || \number == 17 || \number == 21 || \number == 29 || \number == 30
    .else
    push $0                     // where the processor pushes no error code
    .endif
    push $\number
    jmp entry
    .endm

    .text
    .balign 16
    .globl trap_stubs
trap_stubs:                     // 65 of 16 bytes each: exceptions, timer, IPI, ..., MK_CALL
    .set number, 0
    .altmacro
    .rept 65
    stub %number
    .set number, number + 1
    .endr

entry:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    call trap

    .globl resume
resume:                         // resume(const struct mk_frame *)
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

    .globl idle
idle:                           // idle(stack top): sti holds interrupts off until hlt has begun,
    mov %rdi, %rsp              // so none is lost between the decision to idle and the halt
1:  sti
    hlt
    jmp 1b

    .globl load_gdt
load_gdt:                       // load_gdt(const struct pointer *): with the selectors of driver.h
    lgdt (%rdi)
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x28, %eax
    ltr %ax
    pop %rax
    push $0x08
    push %rax
    lretq
