/* SPDX-License-Identifier: Apache-2.0
 *
 * The image's identity, for code that talks to the host. python/pilotlight/builder/build_id.py
 * computes it from the linked image and writes it into the image.
 */
#ifndef PILOTLIGHT_BUILD_ID_H_
#define PILOTLIGHT_BUILD_ID_H_

#ifdef __cplusplus
extern "C" {
#endif

/* 16 hexadecimal digits and a terminator. */
extern const char pilotlight_build_id[17];

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_BUILD_ID_H_ */
