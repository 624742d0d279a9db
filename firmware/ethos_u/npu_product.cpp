// SPDX-License-Identifier: Apache-2.0
#include "npu_product.h"

namespace pilotlight::ethos_u {

const NpuProduct* FindProduct(const NpuIdentity& npu) {
  const NpuProduct* const* product = pilotlight_npu_products;
  while (*product != nullptr && (*product)->number != npu.product()) ++product;
  return *product;
}

Status VerifyStream(Span<const std::byte> stream, const NpuIdentity& built_for,
                    const RegionSizes& regions, std::uint8_t& used_regions, Failure& failure) {
  if (const NpuProduct* product = FindProduct(built_for); product != nullptr) {
    return product->verify(stream, built_for, regions, used_regions, failure);
  }
  failure = {};
  failure.status = Status::kWrongNpu;
  failure.cause = Cause::kUnknownProduct;
  failure.hardware = built_for;
  return failure.status;
}

}  // namespace pilotlight::ethos_u
