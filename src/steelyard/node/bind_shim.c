/* Binds wildcard addresses to one address.
 *
 * Ray's GCS server, raylet and workers listen on every interface and have no option for another address. Under
 * LD_PRELOAD this rewrites a bind to 0.0.0.0 or :: so that it listens on $STEELYARD_BIND_ADDRESS alone: a node is then
 * reached over its private address only, and several nodes on one machine can use the same port.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*bind_function)(int, const struct sockaddr *, socklen_t);

static int bind_ipv4(bind_function next, int fd, const struct sockaddr *address, struct in_addr wanted) {
  struct sockaddr_in rewritten;
  memcpy(&rewritten, address, sizeof rewritten);
  rewritten.sin_addr = wanted;
  return next(fd, (const struct sockaddr *)&rewritten, sizeof rewritten);
}

static int bind_ipv6(bind_function next, int fd, const struct sockaddr *address, struct in_addr wanted) {
  struct sockaddr_in6 rewritten;
  memcpy(&rewritten, address, sizeof rewritten);
  memset(&rewritten.sin6_addr, 0, sizeof rewritten.sin6_addr);
  rewritten.sin6_addr.s6_addr[10] = rewritten.sin6_addr.s6_addr[11] = 0xff; /* ::ffff:a.b.c.d */
  memcpy(&rewritten.sin6_addr.s6_addr[12], &wanted, sizeof wanted);
  return next(fd, (const struct sockaddr *)&rewritten, sizeof rewritten);
}

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  bind_function next = (bind_function)dlsym(RTLD_NEXT, "bind");
  const char *text = getenv("STEELYARD_BIND_ADDRESS");
  struct in_addr wanted;
  if (text == NULL || address == NULL || inet_pton(AF_INET, text, &wanted) != 1) return next(fd, address, length);
  if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
    if (((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY))
      return bind_ipv4(next, fd, address, wanted);
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
    if (IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr))
      return bind_ipv6(next, fd, address, wanted);
  }
  return next(fd, address, length);
}
