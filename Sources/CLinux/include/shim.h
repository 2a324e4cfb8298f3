#pragma once
/* Macros and structures that Glibc's Swift overlay lacks. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    martlet_epollin = EPOLLIN,
    martlet_epollout = EPOLLOUT,
    martlet_epollrdhup = EPOLLRDHUP,
    martlet_epollhup = EPOLLHUP,
    martlet_epollerr = EPOLLERR,
};
static const uint32_t martlet_epollet = 1u << 31;

/* struct epoll_event is packed on x86-64, and its union does not import well. */
static inline uint64_t martlet_epoll_data(const struct epoll_event *e) { return e->data.u64; }
static inline uint32_t martlet_epoll_flags(const struct epoll_event *e) { return e->events; }
static inline int martlet_epoll_add(int set, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event e = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &e);
}
static inline int martlet_epoll_remove(int set, int descriptor) {
    struct epoll_event e = {0};
    return epoll_ctl(set, EPOLL_CTL_DEL, descriptor, &e);
}
static inline ssize_t martlet_send(int descriptor, const void *bytes, size_t count) {
    return send(descriptor, bytes, count, MSG_NOSIGNAL);
}
