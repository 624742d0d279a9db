// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/failure.h"

#include "npu_product.h"
#include "pilotlight/base/text.h"
#include "pilotlight/ethos_u/registers.h"

namespace pilotlight::ethos_u {
namespace {

// Names the values of STATUS.faulting_channel, and kIfm2Channel.
const char* ChannelName(std::uint32_t channel) {
  switch (channel) {
    case 0:
      return "command";
    case 1:
      return "IFM";
    case 2:
      return "weight";
    case 3:
      return "scale and bias";
    case 4:
      return "DMA read";
    case 8:
      return "OFM";
    case 9:
      return "DMA write";
    case Failure::kIfm2Channel:
      return "IFM2";
    default:
      return "unknown";
  }
}

void Signed(Text& text, std::int64_t number) {
  if (number < 0) text << "-";
  text << static_cast<std::uint64_t>(number < 0 ? -number : number);
}

void Name(Text& text, const NpuIdentity& npu) {
  text << npu.family() << "-" << npu.macs() << " (CONFIG ";
  text.Hex(npu.config) << ", ID ";
  text.Hex(npu.id) << ")";
}

void Where(Text& text, std::uint32_t region) {
  if (region == Failure::kStreamRegion) {
    text << "command stream";
  } else {
    text << "region " << region;
  }
}

const char* StateAtDeadline(std::uint32_t npu_status) {
  if ((npu_status & reg::kStatusRunning) != 0) return "still running";
  if ((npu_status & reg::kStatusEndReached) != 0) {
    return "the stream had ended, so the interrupt was lost,";
  }
  return "stopped";
}

void Progress(Text& text, const Failure& failure) {
  text << " at stream offset " << failure.queue_read << ", STATUS ";
  text.Hex(failure.npu_status);
}

// Describes a fault in the program or in the addresses of its parts. False for any other cause.
bool DescribeProgram(const Failure& failure, Text& text) {
  switch (failure.cause) {
    case Cause::kBadBlob:
      text << "malformed delegate: " << failure.reason << " at offset " << failure.offset;
      return true;
    case Cause::kBadPayload:
      text << "malformed driver payload at offset " << failure.offset;
      return true;
    case Cause::kForeignPayload:
      text << "driver action at payload offset " << failure.offset << " is not supported";
      return true;
    case Cause::kBadCommand:
      text << "command at stream offset " << failure.offset << " " << failure.reason;
      return true;
    case Cause::kBadAccess:
      text << "command at stream offset " << failure.offset << ": " << ChannelName(failure.channel)
           << " bytes ";
      Signed(text, failure.begin);
      text << " to ";
      Signed(text, failure.end);
      text << " of region " << failure.region << ", which has " << failure.size_bytes;
      return true;
    case Cause::kOtherNpu:
      text << "compiled for ";
      Name(text, failure.built_for);
      text << ", but the NPU is ";
      Name(text, failure.hardware);
      return true;
    case Cause::kMissingRegion:
      text << "the command stream uses region " << failure.region
           << ", which this image does not provide; export with another memory mode";
      return true;
    case Cause::kMisalignedStream:
    case Cause::kMisalignedRegion:
      Where(text, failure.region);
      text << " is misaligned: address ";
      text.Hex(failure.address);
      return true;
    case Cause::kUnreachable:
      Where(text, failure.region);
      text << " is out of the NPU's reach: address ";
      text.Hex(failure.address);
      return true;
    default:
      return false;
  }
}

// Describes a failure of the NPU or of its deadline. No default, so that the compiler warns about
// a new cause.
void DescribeNpu(const Failure& failure, Text& text) {
  switch (failure.cause) {
    case Cause::kNone:
      text << "no failure";
      return;
    case Cause::kNoAnswer:
      text << "the NPU does not answer at its registers";
      return;
    case Cause::kResetStuck:
      text << "the NPU did not leave reset, STATUS ";
      text.Hex(failure.npu_status);
      return;
    case Cause::kWrongPrivilege:
      text << "the NPU did not take the requested security and privilege";
      return;
    case Cause::kUnknownProduct:
      text << "this image does not support the NPU ";
      Name(text, failure.hardware);
      return;
    case Cause::kTooLate:
      text << "the deadline had passed before the NPU was started";
      return;
    case Cause::kNoInterrupt:
      text << "no NPU interrupt before the deadline; " << StateAtDeadline(failure.npu_status);
      break;
    case Cause::kBusFault:
      text << "bus fault on the "
           << ChannelName(reg::kStatusFaultingChannel.Get(failure.npu_status))
           << " channel of AXI port " << reg::kStatusFaultingInterface.Get(failure.npu_status);
      break;
    case Cause::kParseFault:
      text << "the NPU could not decode a command";
      break;
    case Cause::kWeightFault:
      text << "the weight decoder found a malformed weight stream";
      break;
    case Cause::kBranchFault:
      text << "the NPU refused a branch";
      break;
    case Cause::kEccFault:
      text << "ECC fault in the NPU's memory";
      break;
    case Cause::kStoppedEarly:
      text << "the NPU stopped without a fault before the end of the stream";
      break;
    case Cause::kBadBlob:
    case Cause::kBadPayload:
    case Cause::kForeignPayload:
    case Cause::kBadCommand:
    case Cause::kBadAccess:
    case Cause::kOtherNpu:
    case Cause::kMissingRegion:
    case Cause::kMisalignedStream:
    case Cause::kMisalignedRegion:
    case Cause::kUnreachable:
      return;  // DescribeProgram()
  }
  Progress(text, failure);
}

}  // namespace

std::uint32_t NpuIdentity::product() const { return reg::kConfigProduct.Get(config); }
const char* NpuIdentity::family() const {
  return product() < kFamilyCount ? kFamilyNames[product()] : "unknown product";
}

std::uint32_t NpuIdentity::macs() const { return 1u << reg::kConfigMacsLog2.Get(config); }

std::size_t Describe(const Failure& failure, Span<char> into) {
  Text text(into);
  if (!DescribeProgram(failure, text)) DescribeNpu(failure, text);
  return text.size();
}

}  // namespace pilotlight::ethos_u
