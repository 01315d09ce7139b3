// metal: driver
/* The serial log, panics, power-off.  See driver.h.
 *
 * A line is `@mk ` and one JSON object.  The boot core alone logs, and numbers its lines; a panic of
 * any core goes out raw, because nothing of that core can be trusted to carry it.
 * The exit device of QEMU (isa-debug-exit at 0xf4) ends the run: value v gives exit status 2v + 1.
 */
#include "driver.h"

#define SERIAL 0x3f8
#define EXIT_PORT 0xf4
#define EXIT_ORDERLY 0x2a /* status 85, in machine.py */
#define EXIT_PANIC 0x2d   /* status 91 */

static void put(char c) {
    while (!(in8(SERIAL + 5) & 0x20))
        __asm__ volatile("pause");
    out8(SERIAL, (uint8_t)c);
}

static void put_text(const char *text) {
    while (*text)
        put(*text++);
}

static void put_number(uint64_t value) {
    char digits[20];
    int count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count)
        put(digits[--count]);
}

static void put_field(const char *name, uint64_t value) {
    put_text(",\"");
    put_text(name);
    put_text("\":");
    put_number(value);
}

void log_line(const char *text, size_t length) {
    put_text("@mk {\"seq\":");
    put_number(core.sequence++);
    put_field("ns", time_now() - core.origin);
    put(',');
    for (size_t i = 0; i < length; i++)
        put(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    put_text("}\n");
}

static _Noreturn void leave(uint8_t value) {
    while (!(in8(SERIAL + 5) & 0x40)) /* until the last byte is out */
        __asm__ volatile("pause");
    out8(EXIT_PORT, value);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void power_off(uint64_t status, uint64_t messages) {
    put_text("@mk {\"seq\":");
    put_number(core.sequence++);
    put_field("ns", time_now() - core.origin);
    put_text(",\"event\":\"off\"");
    put_field("core", core.row->id);
    put_field("status", status);
    put_field("messages", messages);
    put_text("}\n");
    leave(EXIT_ORDERLY);
}

void panic(const char *reason, const struct mk_frame *frame) {
    uint64_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    put_text("\n@mk {\"event\":\"panic\",\"reason\":\"");
    put_text(reason);
    put('"');
    put_field("core", core.row->id);
    if (frame) {
        put_field("vector", frame->vector);
        put_field("error", frame->error);
        put_field("rip", frame->rip);
        put_field("cs", frame->cs);
        put_field("cr2", address);
    }
    put_text("}\n");
    leave(EXIT_PANIC);
}
