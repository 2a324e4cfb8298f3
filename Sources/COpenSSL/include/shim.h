#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* Macros with arguments, which Swift does not see. */
static inline void martlet_bio_retry_read(BIO *b) { BIO_set_retry_read(b); }
static inline void martlet_bio_retry_write(BIO *b) { BIO_set_retry_write(b); }
static inline void martlet_bio_clear_retry(BIO *b) { BIO_clear_retry_flags(b); }
static inline void martlet_ssl_ctx_harden(SSL_CTX *c) {
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
}
static inline int martlet_ssl_ctx_minimum(SSL_CTX *c, int version) {
    return SSL_CTX_set_min_proto_version(c, version);
}
static inline int martlet_ssl_set_host_name(SSL *s, const char *name) {
    return (int)SSL_set_tlsext_host_name(s, name);
}
