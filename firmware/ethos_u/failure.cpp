// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/ethos_u/failure.h"

#include "command_tables.h"
#include "pilotlight/base/text.h"
#include "pilotlight/ethos_u/registers.h"

namespace pilotlight::ethos_u {
namespace {

// STATUS.faulting_channel.
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

void Progress(Text& text, const Failure& failure) {
  text << " at stream offset " << failure.queue_read << ", STATUS ";
  text.Hex(failure.npu_status);
}

}  // namespace

std::uint32_t NpuIdentity::product() const { return reg::kConfigProduct.Get(config); }
const char* NpuIdentity::family() const {
  constexpr std::size_t kFamilies = sizeof(kFamilyNames) / sizeof(kFamilyNames[0]);
  return product() < kFamilies ? kFamilyNames[product()] : "unknown product";
}

std::uint32_t NpuIdentity::macs() const { return 1u << reg::kConfigMacsLog2.Get(config); }

std::size_t Describe(const Failure& failure, Span<char> into) {
  Text text(into);
  switch (failure.cause) {
    case Cause::kNone:
      text << "no failure";
      break;
    case Cause::kNoAnswer:
      text << "the NPU does not answer at its registers";
      break;
    case Cause::kResetStuck:
      text << "the NPU did not leave reset, STATUS ";
      text.Hex(failure.npu_status);
      break;
    case Cause::kWrongPrivilege:
      text << "the NPU refused the security and privilege state asked for";
      break;
    case Cause::kUnknownProduct:
      text << "the driver does not know this NPU: ";
      Name(text, failure.hardware);
      break;
    case Cause::kBadBlob:
      text << "malformed delegate: " << failure.reason << " at offset " << failure.offset;
      break;
    case Cause::kBadPayload:
      text << "malformed driver payload at offset " << failure.offset;
      break;
    case Cause::kForeignPayload:
      text << "driver action at payload offset " << failure.offset << " is not supported";
      break;
    case Cause::kBadCommand:
      text << "command at stream offset " << failure.offset << " " << failure.reason;
      break;
    case Cause::kBadAccess:
      text << "command at stream offset " << failure.offset << ": " << ChannelName(failure.channel)
           << " bytes ";
      Signed(text, failure.begin);
      text << " to ";
      Signed(text, failure.end);
      text << " of region " << failure.region << ", which has " << failure.size_bytes;
      break;
    case Cause::kOtherNpu:
      text << "compiled for ";
      Name(text, failure.built_for);
      text << ", but the NPU is ";
      Name(text, failure.hardware);
      break;
    case Cause::kMissingRegion:
      text << "the command stream uses region " << failure.region
           << ", which this image does not provide; export with another memory mode";
      break;
    case Cause::kMisalignedStream:
    case Cause::kMisalignedRegion:
      Where(text, failure.region);
      text << " is misaligned: address ";
      text.Hex(failure.address);
      break;
    case Cause::kUnreachable:
      Where(text, failure.region);
      text << " lies where the NPU cannot reach: address ";
      text.Hex(failure.address);
      break;
    case Cause::kTooLate:
      text << "the deadline had passed before the NPU was started";
      break;
    case Cause::kNoInterrupt:
      text << "no NPU interrupt before the deadline; ";
      if ((failure.npu_status & reg::kStatusRunning) != 0) {
        text << "still running";
      } else if ((failure.npu_status & reg::kStatusEndReached) != 0) {
        text << "the stream had ended, so the interrupt was lost,";
      } else {
        text << "stopped";
      }
      Progress(text, failure);
      break;
    case Cause::kBusFault:
      text << "bus fault on the "
           << ChannelName(reg::kStatusFaultingChannel.Get(failure.npu_status))
           << " channel of AXI port " << reg::kStatusFaultingInterface.Get(failure.npu_status);
      Progress(text, failure);
      break;
    case Cause::kParseFault:
      text << "the NPU could not decode a command";
      Progress(text, failure);
      break;
    case Cause::kWeightFault:
      text << "the weight decoder met a malformed weight stream";
      Progress(text, failure);
      break;
    case Cause::kEccFault:
      text << "ECC fault in the NPU's memory";
      Progress(text, failure);
      break;
    case Cause::kStoppedEarly:
      text << "the NPU stopped without a fault before the end of the stream";
      Progress(text, failure);
      break;
  }
  return text.size();
}

}  // namespace pilotlight::ethos_u
