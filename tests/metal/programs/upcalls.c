// metal: program upcalls
/* Each of the five upcalls, once.  Status 0, or the number of the one that did not come as it should. */
#include "threads.h"

#define NOWHERE 0xbad0000

static _Alignas(16) char stack[2 * MK_PAGE];
static volatile uint32_t runs, lrpcs, faults, traps, disabled_faults;

static _Noreturn void on_run(struct mk_dispatcher *self) {
    runs++;
    mk_resume(&self->enabled, &self->disabled, 0);
}

static _Noreturn void on_lrpc(struct mk_dispatcher *self) {
    lrpcs++;
    mk_resume(&self->enabled, &self->disabled, 0);
}

static _Noreturn void on_page_fault(struct mk_dispatcher *self, uint64_t address) {
    faults += address == NOWHERE;
    self->enabled.rax = (uint64_t)&runs; /* a good address instead, for the instruction to try again */
    mk_resume(&self->enabled, &self->disabled, 0);
}

static _Noreturn void on_trap(struct mk_dispatcher *self, uint64_t vector) {
    traps += vector == 6;
    self->enabled.rip += 2; /* over the ud2 */
    mk_resume(&self->enabled, &self->disabled, 0);
}

static _Noreturn void on_disabled_page_fault(struct mk_dispatcher *self, uint64_t address) {
    disabled_faults += address == NOWHERE;
    self->disabled_save.rax = (uint64_t)&runs;
    mk_resume(&self->disabled_save, &self->disabled, 1);
}

static void touch_nowhere(void) {
    uint64_t address = NOWHERE;
    __asm__ volatile("movl (%%rax), %%ecx" : "+a"(address)::"rcx", "memory");
}

int program(struct mk_dispatcher *self) {
    self->upcall_stack = (uint64_t)stack + sizeof stack;
    self->critical_begin = (uint64_t)mk_resume;
    self->critical_end = (uint64_t)mk_resume_end;
    self->entries[MK_RUN] = (uint64_t)on_run;
    self->entries[MK_LRPC] = (uint64_t)on_lrpc;
    self->entries[MK_PAGE_FAULT] = (uint64_t)on_page_fault;
    self->entries[MK_TRAP] = (uint64_t)on_trap;
    self->entries[MK_DISABLED_PAGE_FAULT] = (uint64_t)on_disabled_page_fault;

    uint32_t before = runs;
    mk_call(MK_CALL_YIELD, 0, 0, 0);
    if (runs != before + 1)
        return 1;

    struct mk_words words = {{7}};
    mk_lmp_send(self->slot, &words); /* to ourselves */
    before = lrpcs;
    mk_call(MK_CALL_YIELD, 0, 0, 0);
    if (lrpcs != before + 1 || mk_lmp_take(&words) != self->slot || words.w[0] != 7)
        return 2;

    touch_nowhere();
    if (faults != 1)
        return 3;

    __asm__ volatile("ud2");
    if (traps != 1)
        return 4;

    self->disabled = 1;
    touch_nowhere();
    if (disabled_faults != 1 || faults != 1 || self->disabled != 1)
        return 5;

    /* No upcall while disabled: the core lost and got back, resumed where it was */
    before = runs;
    mk_call(MK_CALL_YIELD, 0, 0, 0);
    if (runs != before)
        return 6;
    self->disabled = 0;

    extern const char range_begin[], range_end[]; /* the same in the critical range */
    self->critical_begin = (uint64_t)range_begin;
    self->critical_end = (uint64_t)range_end;
    uint64_t number = MK_CALL_YIELD;
    __asm__ volatile("range_begin: int %1; nop; range_end:" : "+a"(number) : "i"(MK_CALL) : "memory");
    return runs == before ? 0 : 7;
}
