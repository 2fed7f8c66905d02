#pragma once
/*
 * buf: a byte buffer that grows, for building SQL text and messages. Always NUL-terminated.
 * reader: a cursor over bytes from outside, in network byte order (`le`: the other one), with a
 * sticky failure flag: read freely, then check `reader_ok` once. A failed reader returns zeros and "" and stays failed.
 * Plain data; not shared between threads.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
        char *data; /* never NULL after the first append */
        size_t len, cap;
};

#define BUF_INIT                                                                                   \
        {                                                                                          \
                0                                                                                  \
        }
#define AUTO_BUF __attribute__((cleanup(buf_done))) struct buf

void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
char *buf_take(struct buf *b); /* the caller frees; the buffer is empty again */
const char *buf_text(const struct buf *b);

void buf_add(struct buf *b, const void *data, size_t len);
/* Room for `more` bytes behind what is there; the caller fills it and adds to `len`. */
char *buf_room(struct buf *b, size_t more);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);

/* A name with its length in front, so that any character may be in it: "5:order". And back, behind
 * which `*at` stands then: NULL when malformed; the caller frees. */
#define BUF_NAME_MAX (1u << 20) /* an enum's members are part of a type's name */
void buf_name(struct buf *b, const char *name);
char *buf_take_name(const char **at);

struct reader {
        const uint8_t *at, *end;
        bool failed;
};

struct reader reader_of(const void *data, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
uint64_t reader_be(struct reader *r, unsigned bytes); /* 1 to 8 */
uint16_t reader_le16(struct reader *r);
uint32_t reader_le24(struct reader *r);
uint32_t reader_le32(struct reader *r);
uint64_t reader_le48(struct reader *r);
uint64_t reader_le64(struct reader *r);
uint64_t reader_le(struct reader *r, unsigned bytes); /* 1 to 8 */
const char *reader_cstr(struct reader *r);              /* NUL-terminated, inside the input */
const void *reader_bytes(struct reader *r, size_t len); /* inside the input; NULL when failed */
size_t reader_left(const struct reader *r);
bool reader_ok(const struct reader *r);
bool reader_done(const struct reader *r); /* ok and nothing left over */
