/*
 * heap.h - intrusive pairing heap of instants: the earliest timer of many in O(1), no allocation
 */
#ifndef UW_BASE_HEAP_H
#define UW_BASE_HEAP_H

#include <stddef.h>

#include <usbwire/usec.h>

struct uw_heap_node {
    struct uw_heap_node *child, *next,
        **link; /* link: what points at this node; NULL: in no heap */
    struct uw_usec at;
};

struct uw_heap {
    struct uw_heap_node *root;
};

static inline int
uw_heap_contains(const struct uw_heap_node *node)
{
    return node->link != NULL;
}

/* The earliest node, or NULL. */
static inline struct uw_heap_node *
uw_heap_first(const struct uw_heap *heap)
{
    return heap->root;
}

/* Sets the node's instant and puts it (back) into the heap; "never" only takes it out. */
void uw_heap_set(struct uw_heap *heap, struct uw_heap_node *node, struct uw_usec at);

/* Takes a node out; nothing when it is in none. */
void uw_heap_remove(struct uw_heap *heap, struct uw_heap_node *node);

/* Instant of the earliest node, or never. */
static inline struct uw_usec
uw_heap_at(const struct uw_heap *heap)
{
    return heap->root ? heap->root->at : uw_never();
}

#endif
