/*
 * newer.h - what libusb got after the oldest header supported (1.0.26, Debian 12)
 *
 * meson.build looks which of these the system's header has; the others are declared here. Values
 * and layouts are those of libusb's own headers of 1.0.27 to 1.0.31; tests/contract/libusb holds
 * them against the numbers that programs were compiled with.
 */
#ifndef UW_LIBUSB_NEWER_H
#define UW_LIBUSB_NEWER_H

#include <libusb.h>

/* Numbers of options and kinds that older headers lack or name otherwise. */
#define OPTION_NO_DEVICE_DISCOVERY 2
#define OPTION_LOG_CB              3
#define BT_PLATFORM_DESCRIPTOR     5
#define BT_SUPERSPEED_PLUS         10

#ifndef HAVE_LIBUSB_1_0_27
struct libusb_init_option {
    enum libusb_option option;
    union {
        int ival;
        libusb_log_cb log_cbval;
    } value;
};

struct libusb_interface_association_descriptor {
    uint8_t bLength, bDescriptorType, bFirstInterface, bInterfaceCount;
    uint8_t bFunctionClass, bFunctionSubClass, bFunctionProtocol, iFunction;
};

struct libusb_interface_association_descriptor_array {
    const struct libusb_interface_association_descriptor *iad;
    int length;
};

struct libusb_platform_descriptor {
    uint8_t bLength, bDescriptorType, bDevCapabilityType, bReserved;
    uint8_t PlatformCapabilityUUID[16];
    uint8_t CapabilityData[];
};

int LIBUSB_CALL libusb_init_context(libusb_context **ctx, const struct libusb_init_option options[],
                                    int num_options);
int LIBUSB_CALL libusb_get_max_alt_packet_size(libusb_device *dev, int interface_number,
                                               int alternate_setting, unsigned char endpoint);
int LIBUSB_CALL libusb_get_platform_descriptor(
    libusb_context *ctx, struct libusb_bos_dev_capability_descriptor *dev_cap,
    struct libusb_platform_descriptor **platform_descriptor);
void LIBUSB_CALL
libusb_free_platform_descriptor(struct libusb_platform_descriptor *platform_descriptor);
int LIBUSB_CALL libusb_get_interface_association_descriptors(
    libusb_device *dev, uint8_t config_index,
    struct libusb_interface_association_descriptor_array **iad_array);
int LIBUSB_CALL libusb_get_active_interface_association_descriptors(
    libusb_device *dev, struct libusb_interface_association_descriptor_array **iad_array);
void LIBUSB_CALL libusb_free_interface_association_descriptors(
    struct libusb_interface_association_descriptor_array *iad_array);
#endif

#ifndef HAVE_LIBUSB_1_0_28
enum libusb_superspeedplus_sublink_attribute_sublink_type {
    LIBUSB_SSPLUS_ATTR_TYPE_SYM = 0,
    LIBUSB_SSPLUS_ATTR_TYPE_ASYM = 1
};

enum libusb_superspeedplus_sublink_attribute_sublink_direction {
    LIBUSB_SSPLUS_ATTR_DIR_RX = 0,
    LIBUSB_SSPLUS_ATTR_DIR_TX = 1
};

enum libusb_superspeedplus_sublink_attribute_exponent {
    LIBUSB_SSPLUS_ATTR_EXP_BPS = 0,
    LIBUSB_SSPLUS_ATTR_EXP_KBS = 1,
    LIBUSB_SSPLUS_ATTR_EXP_MBS = 2,
    LIBUSB_SSPLUS_ATTR_EXP_GBS = 3
};

enum libusb_superspeedplus_sublink_attribute_link_protocol {
    LIBUSB_SSPLUS_ATTR_PROT_SS = 0,
    LIBUSB_SSPLUS_ATTR_PROT_SSPLUS = 1
};

struct libusb_ssplus_sublink_attribute {
    uint8_t ssid;
    enum libusb_superspeedplus_sublink_attribute_exponent exponent;
    enum libusb_superspeedplus_sublink_attribute_sublink_type type;
    enum libusb_superspeedplus_sublink_attribute_sublink_direction direction;
    enum libusb_superspeedplus_sublink_attribute_link_protocol protocol;
    uint16_t mantissa;
};

struct libusb_ssplus_usb_device_capability_descriptor {
    uint8_t numSublinkSpeedAttributes, numSublinkSpeedIDs, ssid, minRxLaneCount, minTxLaneCount;
    struct libusb_ssplus_sublink_attribute sublinkSpeedAttributes[];
};

int LIBUSB_CALL libusb_get_ssplus_usb_device_capability_descriptor(
    libusb_context *ctx, struct libusb_bos_dev_capability_descriptor *dev_cap,
    struct libusb_ssplus_usb_device_capability_descriptor **ssplus_usb_device_cap);
void LIBUSB_CALL libusb_free_ssplus_usb_device_capability_descriptor(
    struct libusb_ssplus_usb_device_capability_descriptor *ssplus_usb_device_cap);
#endif

#ifndef HAVE_LIBUSB_1_0_30
enum libusb_device_string_type {
    LIBUSB_DEVICE_STRING_MANUFACTURER,
    LIBUSB_DEVICE_STRING_PRODUCT,
    LIBUSB_DEVICE_STRING_SERIAL_NUMBER,
    LIBUSB_DEVICE_STRING_COUNT
};

int LIBUSB_CALL libusb_get_device_string(libusb_device *dev,
                                         enum libusb_device_string_type string_type, char *data,
                                         int length);
unsigned long LIBUSB_CALL libusb_get_session_data(libusb_device *dev);
int LIBUSB_CALL libusb_endpoint_supports_raw_io(libusb_device_handle *dev_handle, uint8_t endpoint);
int LIBUSB_CALL libusb_endpoint_set_raw_io(libusb_device_handle *dev_handle, uint8_t endpoint,
                                           int enable);
int LIBUSB_CALL libusb_get_max_raw_io_transfer_size(libusb_device_handle *dev_handle,
                                                    uint8_t endpoint);
#endif

#ifndef HAVE_LIBUSB_1_0_31
int LIBUSB_CALL libusb_get_config_string(libusb_device *dev, uint8_t config_value, char *data,
                                         int length);
int LIBUSB_CALL libusb_get_interface_string(libusb_device *dev, uint8_t config_value,
                                            uint8_t interface_number, uint8_t alt_setting,
                                            char *data, int length);
#endif

#endif
