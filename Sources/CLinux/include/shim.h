#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Macros, structures and variadic calls that Glibc's Swift overlay lacks. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

enum {
    martlet_epollin = EPOLLIN,
    martlet_epollout = EPOLLOUT,
    martlet_epollrdhup = EPOLLRDHUP,
    martlet_epollhup = EPOLLHUP,
    martlet_epollerr = EPOLLERR,
};
static const uint32_t martlet_epollet = 1u << 31;

/* struct epoll_event is packed on x86-64, and its union does not import well. */
static inline uint64_t martlet_epoll_data(const struct epoll_event *events, int index) {
    return events[index].data.u64;
}
static inline uint32_t martlet_epoll_flags(const struct epoll_event *events, int index) {
    return events[index].events;
}
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
/* SOCK_STREAM and its flags are an enumeration in glibc, which Swift cannot combine. */
static inline int martlet_stream_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}
static inline int martlet_stream_pair(int pair[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}
static inline int martlet_accept(int listener, struct sockaddr_storage *peer, socklen_t *length) {
    return accept4(listener, (struct sockaddr *)peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
static inline int martlet_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
static inline int martlet_timerfd(void) {
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}
/* Fires once at this absolute time of CLOCK_MONOTONIC. */
static inline int martlet_timerfd_arm(int timer, uint64_t nanoseconds) {
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000u),
                                         .tv_nsec = (long)(nanoseconds % 1000000000u)}};
    return timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, 0);
}
static inline uint64_t martlet_monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
