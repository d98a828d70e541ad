#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <optional>
#include <string>
#include <type_traits>

namespace wkvq {

struct DeviceKernels;

/// CUDA's kernels. Throws c10::Error in a build without them.
const DeviceKernels& cuda_kernels();

/// Kernels for devices of a type other than CUDA, which has its own. Before the first use of one;
/// `kernels` must outlive all of it.
void register_device_kernels(at::DeviceType type, const DeviceKernels& kernels);
/// The first device of a registered type by libtorch's name of the type.
std::optional<at::Device> registered_device(const std::string& name);

/// The kernels that work on memory of `device`; on the CPU `given`, which is null where its own
/// code does. Throws c10::Error where there are none.
const DeviceKernels* kernels_of(const at::Device& device, const DeviceKernels* given);

/// The current stream of a device, which is the current device meanwhile. The CPU has none: kernels
/// that work on its memory are emulated ones.
class DeviceStream {
 public:
  explicit DeviceStream(const at::Device& device);
  void* handle() const { return handle_; }

  /// Plain values of the host as bytes on the device.
  template <class T>
  at::Tensor copy(const T* from, size_t count) const {
    static_assert(std::is_trivially_copyable_v<T>);
    return copy_bytes(from, count * sizeof(T));
  }
  /// What `copy` has made of values of type T.
  template <class T>
  static const T* items(const at::Tensor& bytes) {
    return static_cast<const T*>(bytes.const_data_ptr());
  }

 private:
  at::Tensor copy_bytes(const void* from, size_t bytes) const;

  at::Device device_;
  c10::DeviceGuard guard_;
  void* handle_ = nullptr;
};

}  // namespace wkvq
