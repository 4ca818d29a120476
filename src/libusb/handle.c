/*
 * handle.c - open and close; configuration, claims, halts, reset
 */
#include <errno.h>
#include <stdlib.h>

#include "libusb/context.h"
#include "libusb/events.h"
#include "libusb/handle.h"
#include "libusb/log.h"
#include "libusb/transfer.h"

int
handle_error(struct libusb_device_handle *handle, int error)
{
    int r = uw_error_libusb(error);

    (void)handle;
    /* Nowhere promised, but there are programs that ask, lsusb for one. */
    if (error < 0)
        errno = uw_error_errno(error);
    if (r == LIBUSB_ERROR_NO_DEVICE)
        world_forget_list();
    return r;
}

/* ---- open and close ---- */

int LIBUSB_CALL
libusb_open(libusb_device *dev, libusb_device_handle **ret_handle)
{
    struct libusb_device_handle *h;
    struct uw_fault fault;
    int r;

    if (!dev->ctx)
        return LIBUSB_ERROR_NO_DEVICE;
    h = calloc(1, sizeof(*h));
    if (!h)
        return LIBUSB_ERROR_NO_MEM;
    r = remote_open(dev->remote, &h->device, &fault);
    if (r < 0) {
        free(h);
        if (fault.on[0])
            log_fault(&fault);
        world_forget_list();
        return uw_error_libusb(r);
    }
    h->ctx = dev->ctx;
    h->dev = libusb_ref_device(dev);
    pthread_mutex_lock(&h->ctx->lock);
    uw_list_insert(&h->ctx->handles, &h->link);
    pthread_mutex_unlock(&h->ctx->lock);
    LOG_DEBUG(h->ctx, "%s", uw_device_name(h->device));
    *ret_handle = h;
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_wrap_sys_device(libusb_context *ctx, intptr_t sys_dev, libusb_device_handle **dev_handle)
{
    (void)sys_dev;
    (void)dev_handle;
    LOG_WARNING(ctx, "descriptors of the kernel are not for devices of another machine");
    return LIBUSB_ERROR_NOT_SUPPORTED;
}

libusb_device_handle *LIBUSB_CALL
libusb_open_device_with_vid_pid(libusb_context *ctx, uint16_t vendor_id, uint16_t product_id)
{
    libusb_device_handle *h = NULL;
    libusb_device **list;
    ssize_t n = libusb_get_device_list(ctx, &list);

    for (ssize_t i = 0; i < n; i++) {
        const struct uw_device_descriptor *d = &list[i]->remote->descriptor;

        if (d->idVendor == vendor_id && d->idProduct == product_id) {
            if (libusb_open(list[i], &h) < 0)
                h = NULL;
            break;
        }
    }
    if (n >= 0)
        libusb_free_device_list(list, 1);
    return h;
}

static void
forget_claims(struct libusb_device_handle *h)
{
    uint32_t claimed;

    pthread_mutex_lock(&h->ctx->lock);
    claimed = h->claimed;
    h->claimed = 0;
    pthread_mutex_unlock(&h->ctx->lock);
    for (unsigned i = 0; i < INTERFACES_MAX; i++)
        if (claimed & UINT32_C(1) << i)
            (void)uw_device_release(h->device, i, h);
    world_lock();
    h->dev->remote->claims &= ~claimed;
    world_unlock();
}

/* A child that closes what its parent opened must not take back the parent's transfers and claims,
 * which it would, one by one. */
static void
let_go_of_inherited(struct libusb_device_handle *h)
{
    struct uw_device *device = remote_disown(h->dev->remote);

    if (!device)
        return;
    pthread_mutex_lock(&h->ctx->lock);
    h->claimed = 0;
    pthread_mutex_unlock(&h->ctx->lock);
    uw_device_free(device);
}

/* With the events lock held, so that no callback of this handle runs or will run. */
static void
end_handle(struct libusb_device_handle *h)
{
    let_go_of_inherited(h);
    transfer_drop_all(h->ctx, h);
    forget_claims(h);
    pthread_mutex_lock(&h->ctx->lock);
    uw_list_remove(&h->link);
    pthread_mutex_unlock(&h->ctx->lock);
    remote_close(h->dev->remote);
    libusb_unref_device(h->dev);
    free(h);
}

void LIBUSB_CALL
libusb_close(libusb_device_handle *h)
{
    struct libusb_context *ctx;

    if (!h)
        return;
    ctx = h->ctx;
    LOG_DEBUG(ctx, "%s", uw_device_name(h->device));
    events_seize(ctx);
    end_handle(h);
    events_yield(ctx);
}

void
handle_abandon_all(struct libusb_context *ctx)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ctx->handles)
        end_handle(UW_CONTAINER(pos, struct libusb_device_handle, link));
}

libusb_device *LIBUSB_CALL
libusb_get_device(libusb_device_handle *h)
{
    return h->dev;
}

/* ---- configuration ---- */

int LIBUSB_CALL
libusb_get_configuration(libusb_device_handle *h, int *config)
{
    int r = uw_device_status(h->device);

    if (r < 0)
        return handle_error(h, r);
    *config = uw_device_configuration(h->device);
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_set_configuration(libusb_device_handle *h, int configuration)
{
    uint32_t claims;

    if (configuration < -1 || configuration > UINT8_MAX)
        return LIBUSB_ERROR_INVALID_PARAM;
    world_lock();
    claims = h->dev->remote->claims;
    world_unlock();
    if (claims)
        return LIBUSB_ERROR_BUSY;
    return handle_error(h, uw_device_set_configuration(h->device,
                                                       configuration < 0 ? 0 : configuration,
                                                       uw_msec(HANDLE_REQUEST_MS), NULL));
}

static int
is_claimed(struct libusb_device_handle *h, unsigned number)
{
    int r;

    pthread_mutex_lock(&h->ctx->lock);
    r = (h->claimed & UINT32_C(1) << number) != 0;
    pthread_mutex_unlock(&h->ctx->lock);
    return r;
}

static void
note_claim(struct libusb_device_handle *h, unsigned number, int claimed)
{
    uint32_t bit = UINT32_C(1) << number;

    pthread_mutex_lock(&h->ctx->lock);
    h->claimed = claimed ? h->claimed | bit : h->claimed & ~bit;
    pthread_mutex_unlock(&h->ctx->lock);
    world_lock();
    h->dev->remote->claims = claimed ? h->dev->remote->claims | bit : h->dev->remote->claims & ~bit;
    world_unlock();
}

static int
is_interface(int number)
{
    return number >= 0 && number < (int)INTERFACES_MAX;
}

int LIBUSB_CALL
libusb_claim_interface(libusb_device_handle *h, int interface_number)
{
    int r;

    if (!is_interface(interface_number))
        return LIBUSB_ERROR_INVALID_PARAM;
    r = uw_device_claim(h->device, (unsigned)interface_number, h);
    if (r == 0)
        note_claim(h, (unsigned)interface_number, 1);
    return handle_error(h, r);
}

int LIBUSB_CALL
libusb_release_interface(libusb_device_handle *h, int interface_number)
{
    int r;

    if (!is_interface(interface_number))
        return LIBUSB_ERROR_INVALID_PARAM;
    r = uw_device_release(h->device, (unsigned)interface_number, h);
    if (r == 0)
        note_claim(h, (unsigned)interface_number, 0);
    return handle_error(h, r);
}

int LIBUSB_CALL
libusb_set_interface_alt_setting(libusb_device_handle *h, int interface_number,
                                 int alternate_setting)
{
    if (!is_interface(interface_number) || alternate_setting < 0 || alternate_setting > UINT8_MAX)
        return LIBUSB_ERROR_INVALID_PARAM;
    if (!is_claimed(h, (unsigned)interface_number))
        return LIBUSB_ERROR_NOT_FOUND;
    return handle_error(h, uw_device_set_altsetting(h->device, (unsigned)interface_number,
                                                    (unsigned)alternate_setting,
                                                    uw_msec(HANDLE_REQUEST_MS), NULL));
}

int LIBUSB_CALL
libusb_clear_halt(libusb_device_handle *h, unsigned char endpoint)
{
    return handle_error(
        h, uw_device_clear_halt(h->device, endpoint, uw_msec(HANDLE_REQUEST_MS), NULL));
}

int LIBUSB_CALL
libusb_reset_device(libusb_device_handle *h)
{
    int r = uw_device_reset(h->device, uw_msec(HANDLE_REQUEST_MS), NULL);

    if (r == UW_ERROR_NOT_FOUND)
        world_forget_list();
    return handle_error(h, r);
}

/* ---- what USB/IP has no part in; the parameters are libusb's ---- */

/* NOLINTBEGIN(readability-non-const-parameter) */

int LIBUSB_CALL
libusb_alloc_streams(libusb_device_handle *h, uint32_t num_streams, unsigned char *endpoints,
                     int num_endpoints)
{
    (void)h;
    (void)num_streams;
    (void)endpoints;
    (void)num_endpoints;
    return LIBUSB_ERROR_NOT_SUPPORTED;
}

int LIBUSB_CALL
libusb_free_streams(libusb_device_handle *h, unsigned char *endpoints, int num_endpoints)
{
    (void)h;
    (void)endpoints;
    (void)num_endpoints;
    return LIBUSB_ERROR_NOT_SUPPORTED;
}

/* NOLINTEND(readability-non-const-parameter) */

/* Ordinary memory serves: nothing is mapped into a kernel here. */
unsigned char *LIBUSB_CALL
libusb_dev_mem_alloc(libusb_device_handle *h, size_t length)
{
    (void)h;
    return length ? calloc(1, length) : NULL;
}

int LIBUSB_CALL
libusb_dev_mem_free(libusb_device_handle *h, unsigned char *buffer, size_t length)
{
    (void)h;
    (void)length;
    free(buffer);
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_kernel_driver_active(libusb_device_handle *h, int interface_number)
{
    (void)h;
    return is_interface(interface_number) ? 0 : LIBUSB_ERROR_INVALID_PARAM;
}

int LIBUSB_CALL
libusb_detach_kernel_driver(libusb_device_handle *h, int interface_number)
{
    (void)h;
    return is_interface(interface_number) ? LIBUSB_ERROR_NOT_FOUND : LIBUSB_ERROR_INVALID_PARAM;
}

int LIBUSB_CALL
libusb_attach_kernel_driver(libusb_device_handle *h, int interface_number)
{
    (void)h;
    return is_interface(interface_number) ? LIBUSB_ERROR_NOT_FOUND : LIBUSB_ERROR_INVALID_PARAM;
}

int LIBUSB_CALL
libusb_set_auto_detach_kernel_driver(libusb_device_handle *h, int enable)
{
    (void)h;
    (void)enable;
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_endpoint_supports_raw_io(libusb_device_handle *h, uint8_t endpoint)
{
    (void)h;
    (void)endpoint;
    return 0;
}

int LIBUSB_CALL
libusb_endpoint_set_raw_io(libusb_device_handle *h, uint8_t endpoint, int enable)
{
    (void)h;
    (void)endpoint;
    (void)enable;
    return LIBUSB_ERROR_NOT_SUPPORTED;
}

int LIBUSB_CALL
libusb_get_max_raw_io_transfer_size(libusb_device_handle *h, uint8_t endpoint)
{
    (void)h;
    (void)endpoint;
    return LIBUSB_ERROR_NOT_SUPPORTED;
}
