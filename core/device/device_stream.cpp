#include "core/device/device_stream.h"

#include <map>

#include "core/device/torch_headers.h"
#include "core/kernels/device_kernels.h"

#ifdef WKVQ_WITH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace wkvq {

const DeviceKernels& cuda_kernels() {
#ifdef WKVQ_WITH_CUDA
  static const DeviceKernels kernels{.name = "cuda",
                                     .quantize = quantize_cuda,
                                     .quantize_wide = quantize_wide_cuda,
                                     .differentiate = differentiate_cuda,
                                     .differentiate_wide = differentiate_wide_cuda,
                                     .append = quantize_append_cuda,
                                     .attend = decode_attention_cuda,
                                     .multiply = packed_linear_cuda,
                                     .decode = decode_weight_cuda,
                                     .attend_tiles = masked_attention_cuda,
                                     .attend_half = tensor_attention_half_cuda,
                                     .attend_bfloat16 = tensor_attention_bfloat16_cuda};
  return kernels;
#else
  TORCH_CHECK(false, "got a CUDA tensor, but this build has no CUDA kernels");
#endif
}

namespace {

std::map<at::DeviceType, const DeviceKernels*>& registered() {
  static std::map<at::DeviceType, const DeviceKernels*> kernels;
  return kernels;
}

}  // namespace

void register_device_kernels(at::DeviceType type, const DeviceKernels& kernels) {
  registered()[type] = &kernels;
}

std::optional<at::Device> registered_device(const std::string& name) {
  for (const auto& [type, kernels] : registered())
    if (name == c10::DeviceTypeName(type, /*lower_case=*/true)) return at::Device(type, 0);
  return {};
}

const DeviceKernels* kernels_of(const at::Device& device, const DeviceKernels* given) {
  if (device.is_cpu()) return given;
  if (device.is_cuda()) return &cuda_kernels();
  const auto found = registered().find(device.type());
  TORCH_CHECK(found != registered().end(), "no kernels for device ", device);
  return found->second;
}

DeviceStream::DeviceStream(const at::Device& device) : device_(device), guard_(device) {
#ifdef WKVQ_WITH_CUDA
  if (device.is_cuda()) handle_ = c10::cuda::getCurrentCUDAStream(device.index()).stream();
#endif
}

at::Tensor DeviceStream::copy_bytes(const void* from, size_t bytes) const {
  at::Tensor host = at::empty({static_cast<int64_t>(bytes)}, at::kByte);
  std::memcpy(host.mutable_data_ptr<uint8_t>(), from, bytes);
  return host.to(device_);
}

}  // namespace wkvq
