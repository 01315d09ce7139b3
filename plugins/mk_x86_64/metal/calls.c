// metal: driver
/* What dispatchers may ask their driver for.  See mk.h for the calls, driver.h for the rest.
 *
 * Number in rax; arguments in rdi, rsi, rdx, r10, r8, r9, r12, r13; the result in rax and, of
 * MK_CALL_LMP_TAKE, the words in rsi, rdx, r10, r8, r9, r12, r13.  No call takes a pointer: text is
 * read from the dispatcher page, whose frame the driver knows.
 */
#include "driver.h"

/* Only the monitor (first slot) reaches the rest of the machine. */
static bool is_monitor(const struct dcb *dcb) { return dcb->slot == MK_MONITOR; }

void end(struct dcb *dcb, struct mk_words last) {
    dcb->ended = true;
    dcb->last = last;
    core.dcbs[MK_MONITOR].page->mail = 1;
    wake(&core.dcbs[MK_MONITOR]);
}

static uint64_t lmp_send(struct dcb *from, const struct mk_frame *save) {
    if (save->rdi >= MK_DISPATCHERS || !core.dcbs[save->rdi].root || core.dcbs[save->rdi].ended)
        return MK_REFUSED;
    struct dcb *to = &core.dcbs[save->rdi];
    if (to->count == MAILBOX)
        return MK_BUSY;
    uint32_t at = (to->head + to->count++) % MAILBOX;
    to->senders[at] = from->slot;
    to->mail[at] =
        (struct mk_words){{save->rsi, save->rdx, save->r10, save->r8, save->r9, save->r12, save->r13}};
    to->page->mail = 1;
    wake(to);
    return 0;
}

static void hand_over(struct mk_frame *save, const struct mk_words *words) {
    save->rsi = words->w[0];
    save->rdx = words->w[1];
    save->r10 = words->w[2];
    save->r8 = words->w[3];
    save->r9 = words->w[4];
    save->r12 = words->w[5];
    save->r13 = words->w[6];
}

/* Mail first, so that what a program said comes before its end. */
static uint64_t lmp_take(struct dcb *dcb) {
    if (dcb->count) {
        uint32_t at = dcb->head;
        dcb->head = (at + 1) % MAILBOX;
        dcb->count--;
        hand_over(&dcb->save, &dcb->mail[at]);
        return dcb->senders[at];
    }
    if (is_monitor(dcb))
        for (struct dcb *other = core.dcbs; other < core.dcbs + MK_DISPATCHERS; other++)
            if (other->ended) {
                hand_over(&dcb->save, &other->last);
                other->ended = false;
                other->root = 0; /* its part is free */
                return MK_KERNEL;
            }
    dcb->page->mail = 0;
    return MK_NONE;
}

static uint64_t spawn_free(uint64_t program, uint64_t klass, uint64_t role) {
    if (program == MK_MONITOR || program >= mk_program_count || (klass >= mk_class_count && klass != MK_NOWHERE))
        return MK_REFUSED;
    for (uint32_t slot = 1; slot < MK_DISPATCHERS; slot++)
        if (!core.dcbs[slot].root)
            return spawn(&core, slot, (uint32_t)program, (uint32_t)klass, (uint32_t)role) ? slot : MK_NONE;
    return MK_NONE;
}

static uint64_t privileged(struct dcb *dcb, const struct mk_frame *save) {
    bool boot = core.index == mk_boot_core;
    switch (save->rax) {
    case MK_CALL_LOG:
        if (!boot || save->rdi > sizeof dcb->page->text)
            return MK_REFUSED;
        log_line(dcb->page->text, save->rdi);
        return 0;
    case MK_CALL_START:
        if (!boot || save->rdi >= mk_core_count || mk_cores[save->rdi].start != MK_START_SIPI)
            return MK_REFUSED;
        apic_start(&mk_cores[save->rdi], (uint32_t)save->rsi);
        return 0;
    case MK_CALL_SPAWN:
        return spawn_free(save->rdi, save->rsi, save->rdx);
    case MK_CALL_POWER_OFF:
        if (!boot)
            return MK_REFUSED;
        power_off(save->rdi, save->rsi);
    default:
        return MK_REFUSED;
    }
}

bool call(struct dcb *dcb) {
    struct mk_frame *save = &dcb->save;
    switch (save->rax) {
    case MK_CALL_EXIT:
        if (is_monitor(dcb))
            panic("the monitor ended", save);
        end(dcb, (struct mk_words){{MK_EXITED, dcb->slot, dcb->program, save->rdi, save->rsi, dcb->preempted}});
        return true;
    case MK_CALL_BLOCK:
        /* Something came since the dispatcher last looked: let it look again, or the wake-up is lost. */
        dcb->blocked = !dcb->wake;
        dcb->wake = false;
        dcb->deadline = save->rdi;
        dcb->lost = dcb->blocked;
        return dcb->blocked;
    case MK_CALL_YIELD:
        dcb->lost = true;
        return true;
    case MK_CALL_NOTIFY:
        save->rax = save->rdi < mk_core_count && save->rsi < MK_DISPATCHERS ? 0 : MK_REFUSED;
        if (save->rax == 0)
            apic_ipi(&mk_cores[save->rdi], (uint32_t)save->rsi);
        return false;
    case MK_CALL_LMP_SEND:
        save->rax = lmp_send(dcb, save);
        return false;
    case MK_CALL_LMP_TAKE:
        save->rax = lmp_take(dcb);
        return false;
    default:
        save->rax = is_monitor(dcb) ? privileged(dcb, save) : MK_REFUSED;
        return false;
    }
}
