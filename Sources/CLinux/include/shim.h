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
#include <sys/uio.h>
#include <sys/un.h>

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
/* Declared here because <sys/timerfd.h> would make this module the owner of struct timespec. */
struct itimerspec;
extern int timerfd_create(int clock, int flags);
extern int timerfd_settime(int timer, int flags, const struct itimerspec *at, struct itimerspec *);
enum { martlet_tfd_nonblock = 04000, martlet_tfd_cloexec = 02000000, martlet_tfd_abstime = 1 };
static inline int martlet_timerfd(void) {
    return timerfd_create(1 /* CLOCK_MONOTONIC */, martlet_tfd_nonblock | martlet_tfd_cloexec);
}
/* Fires once at this absolute time of CLOCK_MONOTONIC. */
static inline int martlet_timerfd_arm(int timer, uint64_t nanoseconds) {
    const struct { int64_t interval[2], value[2]; } at = {
        .value = {(int64_t)(nanoseconds / 1000000000u), (int64_t)(nanoseconds % 1000000000u)}};
    return timerfd_settime(timer, martlet_tfd_abstime, (const struct itimerspec *)&at, 0);
}
