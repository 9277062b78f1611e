/* SPDX-License-Identifier: MIT */
#include "sheep/buffer_pool.h"

#include <stddef.h>
#include <stdlib.h>

bool buffer_pool_init(struct buffer_pool *pool, uint32_t capacity)
{
    atomic_init(&pool->head, 0);
    atomic_init(&pool->tail, 0);
    pool->capacity = capacity;
    pool->buffers = calloc(capacity + 1, sizeof(*pool->buffers));
    return pool->buffers != NULL;
}

void buffer_pool_fini(struct buffer_pool *pool)
{
    free(pool->buffers);
    pool->buffers = NULL;
}

void buffer_pool_give(struct buffer_pool *pool, void *buffer)
{
    uint32_t head = atomic_load_explicit(&pool->head, memory_order_relaxed);

    pool->buffers[head % pool->capacity] = buffer;
    atomic_store_explicit(&pool->head, head + 1, memory_order_release);
}

uint32_t buffer_pool_count(const struct buffer_pool *pool)
{
    return atomic_load_explicit(&pool->head, memory_order_acquire)
           - atomic_load_explicit(&pool->tail, memory_order_relaxed);
}

void *buffer_pool_take(struct buffer_pool *pool)
{
    uint32_t tail = atomic_load_explicit(&pool->tail, memory_order_relaxed);
    void *buffer = NULL;

    if (pool->capacity == 0 || buffer_pool_count(pool) == 0) {
        return NULL;
    }
    buffer = pool->buffers[tail % pool->capacity];
    atomic_store_explicit(&pool->tail, tail + 1, memory_order_release);
    return buffer;
}
