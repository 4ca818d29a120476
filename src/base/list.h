/*
 * list.h - intrusive doubly linked list; the head is a node too
 */
#ifndef UW_BASE_LIST_H
#define UW_BASE_LIST_H

#include <stddef.h>

struct uw_list {
    struct uw_list *prev, *next;
};

#define UW_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void
uw_list_init(struct uw_list *l)
{
    l->prev = l->next = l;
}

static inline int
uw_list_empty(const struct uw_list *l)
{
    return l->next == l;
}

/* In front of `at`: at the tail when `at` is the head of a list. */
static inline void
uw_list_insert(struct uw_list *at, struct uw_list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

/* Out of its list; a node that is in none stays so. */
static inline void
uw_list_remove(struct uw_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    uw_list_init(node);
}

/* The first node, taken out; NULL when there is none. */
static inline struct uw_list *
uw_list_pop(struct uw_list *head)
{
    struct uw_list *node = head->next;

    if (node == head)
        return NULL;
    head->next = node->next;
    node->next->prev = head;
    uw_list_init(node);
    return node;
}

#define uw_list_first(head, type, member)                                                          \
    (uw_list_empty(head) ? NULL : UW_CONTAINER((head)->next, type, member))

/* The loop body may remove `pos`. */
#define uw_list_each(pos, tmp, head)                                                               \
    for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);                               \
         (pos) = (tmp), (tmp) = (pos)->next)

#endif
