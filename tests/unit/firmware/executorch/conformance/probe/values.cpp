// SPDX-License-Identifier: Apache-2.0
#include "values.h"

#include "transcript.h"

namespace conformance {
namespace {

using executorch::runtime::ArrayRef;
using executorch::runtime::EValue;
using executorch::runtime::Tag;
using executorch::runtime::etensor::Tensor;

template <typename List>
void PrintList(const char* name, const List& list) {
  out << name;
  for (const auto item : list) out << " " << item;
  out << "\n";
}

template <typename Dims>
void PrintDims(const char* name, const Dims& dims) {
  out << " " << name << "=[";
  for (const auto dim : dims) out << static_cast<std::int64_t>(dim) << " ";
  out << "]";
}

}  // namespace

void Print(const Tensor& tensor, Contents contents) {
  out << "tensor dtype=" << static_cast<int>(tensor.scalar_type()) << " dim=" << tensor.dim()
      << " numel=" << tensor.numel() << " nbytes=" << tensor.nbytes()
      << " element=" << tensor.element_size()
      << " dynamism=" << static_cast<int>(tensor.shape_dynamism());
  PrintDims("sizes", tensor.sizes());
  PrintDims("order", tensor.dim_order());
  PrintDims("strides", tensor.strides());
  if (tensor.const_data_ptr() == nullptr) {
    out << " data=null\n";
  } else if (contents == Contents::kInFull) {
    (out << " data=").HexBytes(tensor.const_data_ptr(), tensor.nbytes()) << "\n";
  } else {
    (out << " hash=").Hex(Hash(tensor.const_data_ptr(), tensor.nbytes())) << "\n";
  }
}

void Print(const EValue& value, Contents contents) {
  switch (value.tag) {
    case Tag::None:
      out << "none\n";
      break;
    case Tag::Int:
      out << "int " << value.toInt() << "\n";
      break;
    case Tag::Bool:
      out << "bool " << value.toBool() << "\n";
      break;
    case Tag::Double:
      out << "double " << value.toDouble() << "\n";
      break;
    case Tag::String:
      out << "string '" << value.toString() << "'\n";
      break;
    case Tag::Tensor:
      Print(value.toTensor(), contents);
      break;
    case Tag::ListInt:
      PrintList("ints", value.toIntList());
      break;
    case Tag::ListDouble:
      PrintList("doubles", value.toDoubleList());
      break;
    case Tag::ListBool:
      PrintList("bools", value.toBoolList());
      break;
    case Tag::ListTensor:
      out << "tensors " << value.toTensorList().size() << "\n";
      for (const Tensor& item : value.toTensorList()) Print(item, contents);
      break;
    case Tag::ListOptionalTensor:
      out << "optional tensors " << value.toListOptionalTensor().size() << "\n";
      for (const auto& item : value.toListOptionalTensor()) {
        if (item.has_value()) {
          Print(*item, contents);
        } else {
          out << "none\n";
        }
      }
      break;
    default:
      out << "tag " << static_cast<unsigned>(value.tag) << "\n";
  }
}

}  // namespace conformance
