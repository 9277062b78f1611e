/* SPDX-License-Identifier: MIT */
/* Buffers that go round between two threads without a lock: one takes, the other gives back. */
#ifndef SHEEP_BUFFER_POOL_H
#define SHEEP_BUFFER_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The buffers belong to whoever made them. */
struct buffer_pool {
    void **buffers;
    uint32_t capacity;
    _Atomic uint32_t head; /* the thread that gives */
    _Atomic uint32_t tail; /* the one that takes */
};

/* An empty pool with room for so many; false without memory. */
bool buffer_pool_init(struct buffer_pool *pool, uint32_t capacity);
void buffer_pool_fini(struct buffer_pool *pool);

/* Never more than the capacity. */
void buffer_pool_give(struct buffer_pool *pool, void *buffer);

/* The taker: how many there are; one of them, or NULL. */
uint32_t buffer_pool_count(const struct buffer_pool *pool);
void *buffer_pool_take(struct buffer_pool *pool);

#endif
