/* SPDX-License-Identifier: Apache-2.0
 *
 * The NPU products that an image supports. The tables of a product, and the verifier of its command
 * streams, are linked only if this list names the product.
 *
 * An image may define the list itself, as generated code does for the NPUs of its models. Otherwise
 * the image gets the list of all products.
 */
#ifndef PILOTLIGHT_ETHOS_U_PRODUCTS_H_
#define PILOTLIGHT_ETHOS_U_PRODUCTS_H_

#ifdef __cplusplus
extern "C" {
#endif

struct pilotlight_npu_product;

/* Ends with a null pointer. */
extern const struct pilotlight_npu_product* const pilotlight_npu_products[];

#ifdef __cplusplus
}
#endif

#endif /* PILOTLIGHT_ETHOS_U_PRODUCTS_H_ */
