/*
 * heap.c - pairing heap of instants
 */
#include "base/heap.h"

/* Joins two heaps; the earlier root becomes the parent. Either may be NULL. */
static struct uw_heap_node *
meld(struct uw_heap_node *a, struct uw_heap_node *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (b->at.us < a->at.us) {
        struct uw_heap_node *t = a;

        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->link = &b->next;
    a->child = b;
    b->link = &a->child;
    return a;
}

/* Joins a list of siblings, in pairs and then backwards, which keeps removal O(log n). */
static struct uw_heap_node *
meld_siblings(struct uw_heap_node *first)
{
    struct uw_heap_node *pairs = NULL, *all = NULL;

    while (first) {
        struct uw_heap_node *a = first, *b = first->next;

        first = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct uw_heap_node *a = pairs;

        pairs = a->next;
        a->next = NULL;
        all = meld(all, a);
    }
    return all;
}

static void
set_root(struct uw_heap *heap, struct uw_heap_node *root)
{
    heap->root = root;
    if (root) {
        root->next = NULL;
        root->link = &heap->root;
    }
}

void
uw_heap_remove(struct uw_heap *heap, struct uw_heap_node *node)
{
    struct uw_heap_node *children;

    if (!node->link)
        return;
    children = meld_siblings(node->child);
    if (heap->root == node) {
        set_root(heap, children);
    } else {
        *node->link = node->next;
        if (node->next)
            node->next->link = node->link;
        set_root(heap, meld(heap->root, children));
    }
    node->child = node->next = NULL;
    node->link = NULL;
}

void
uw_heap_set(struct uw_heap *heap, struct uw_heap_node *node, struct uw_usec at)
{
    uw_heap_remove(heap, node);
    node->at = at;
    if (uw_is_never(at))
        return;
    set_root(heap, meld(heap->root, node));
}
