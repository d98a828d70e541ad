#include "tests/support/pretended_device.h"

#include <ATen/ATen.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Resize.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>

#include <map>
#include <mutex>

#include "core/device/device_stream.h"
#include "tests/support/device_kernels.h"

namespace wkvq::test {

namespace {

constexpr auto kType = c10::DeviceType::PrivateUse1;

/// Address space of which pieces are given out; closed to reads and writes but while somebody works
/// as the device.
class Arena {
 public:
  static Arena& instance() {
    static auto* const arena = new Arena;
    return *arena;
  }

  void* take(size_t bytes) {
    const size_t size = (bytes + kAlign - 1) / kAlign * kAlign + kAlign;
    const std::lock_guard lock(mutex_);
    if (limit >= 0 && held + static_cast<int64_t>(size) > limit)
      throw c10::OutOfMemoryError({__func__, __FILE__, static_cast<uint32_t>(__LINE__)},
                                  "pretended device out of memory");
    auto found = free_.lower_bound(size);
    if (found != free_.end() && found->first <= 2 * size) {
      char* const piece = found->second;
      sizes_[piece] = found->first;
      free_.erase(found);
      held += static_cast<int64_t>(sizes_[piece]);
      return piece;
    }
    TORCH_CHECK(used_ + size <= kBytes, "pretended device: address space exhausted");
    char* const piece = base_ + used_;
    used_ += size;
    sizes_[piece] = size;
    held += static_cast<int64_t>(size);
    return piece;
  }

  void give_back(void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(static_cast<char*>(data));
    held -= static_cast<int64_t>(found->second);
    free_.emplace(found->second, found->first);
    sizes_.erase(found);
  }

  void open() {
    const std::lock_guard lock(mutex_);
    if (users_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--users_ == 0) protect(PROT_NONE);
  }

  int64_t held = 0, limit = -1;

 private:
  static constexpr size_t kAlign = 256, kBytes = size_t{1} << 32;

  Arena()
      : base_(static_cast<char*>(
            mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    TORCH_CHECK(base_ != MAP_FAILED, "pretended device: no address space");
    madvise(base_, kBytes, MADV_HUGEPAGE);  // few entries to change at every protect
  }
  void protect(int access) const { mprotect(base_, kBytes, access); }

  std::mutex mutex_;
  char* base_;
  size_t used_ = 0;
  int users_ = 0;
  std::map<char*, size_t> sizes_;
  std::multimap<size_t, char*> free_;
};

/// While it lives this thread is the device.
struct AsDevice {
  AsDevice() { Arena::instance().open(); }
  ~AsDevice() { Arena::instance().close(); }
  AsDevice(const AsDevice&) = delete;
  AsDevice& operator=(const AsDevice&) = delete;
};

struct Allocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* const data = Arena::instance().take(bytes);
    return {data, data, [](void* p) { Arena::instance().give_back(p); }, c10::Device(kType, 0)};
  }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    const AsDevice device;
    std::memcpy(to, from, count);
  }
};

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static constexpr c10::DeviceType static_type = kType;
  Guard() = default;
  explicit Guard(c10::DeviceType) {}
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return getDevice(); }
  c10::Device getDevice() const override { return {kType, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override {
    return c10::Stream(c10::Stream::DEFAULT, stream.device());
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void synchronizeStream(const c10::Stream&) const override {}
  void synchronizeDevice(const c10::DeviceIndex) const override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void record(void** event, const c10::Stream&, const c10::DeviceIndex,
              const c10::EventFlag) const override {
    *event = nullptr;
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  bool isPinnedPtr(const void*) const override { return false; }
  at::Allocator* getPinnedMemoryAllocator() const override { return at::getCPUAllocator(); }
};

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride,
                         std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                         std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, c10::GetAllocator(kType),
                                           c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           at::dtype_or_default(dtype));
}

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>,
                 std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, c10::GetAllocator(kType),
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   at::dtype_or_default(dtype), format);
}

/// The same memory as a tensor of the CPU.
at::Tensor seen_by_cpu(const at::Tensor& x) {
  if (x.is_cpu()) return x;
  return at::from_blob(x.data_ptr(), x.sizes(), x.strides(), x.options().device(at::kCPU));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool /*non_blocking*/) {
  const AsDevice device;
  seen_by_cpu(to).copy_(seen_by_cpu(from));
  return to;
}

const at::Tensor& resized(const at::Tensor& x, at::IntArrayRef size,
                          std::optional<at::MemoryFormat> /*format*/) {
  at::TensorImpl* const impl = x.unsafeGetTensorImpl();
  impl->set_sizes_contiguous(size);
  const size_t bytes = static_cast<size_t>(impl->numel()) * x.itemsize();
  if (bytes > x.storage().nbytes()) {
    x.storage().unsafeGetStorageImpl()->set_data_ptr_noswap(
        c10::GetAllocator(kType)->allocate(bytes));
    x.storage().unsafeGetStorageImpl()->set_nbytes(bytes);
  }
  return x;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (from.sizes() != to.sizes()) resized(to, from.sizes(), std::nullopt);
  return copy_from(from, to, false);
}

void check_operand(const std::string& name, const at::Tensor& x, bool& on_device) {
  if (!x.defined()) return;
  if (!x.is_cpu()) {
    on_device = true;
    return;
  }
  TORCH_CHECK(x.dim() == 0, "Expected all tensors to be on the same device, but ", name,
              " got one of ", x.sizes(), " on the CPU");
}

struct Silent final : c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

/// What a GPU would refuse. Indices in brackets, the only lists with gaps, may lie on the CPU.
void on_copies(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::string name = c10::toString(op.operator_name());
  bool on_device = false;
  for (const c10::IValue& value : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (value.isTensor()) check_operand(name, value.toTensor(), on_device);
    if (value.isTensorList())
      for (const at::Tensor& x : value.toTensorVector()) check_operand(name, x, on_device);
  }
  // Out variants of reductions resize what they are given, and say so.
  Silent silent;
  const c10::WarningUtils::WarningHandlerGuard quiet(&silent);
  const AsDevice device;  // once, not at every operand's copy
  at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&on_copies>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("as_strided", at::native::as_strided_tensorimpl);
  m.impl("view", at::native::view);
  m.impl("_reshape_alias", at::native::_reshape_alias);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("resize_", resized);
}

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

/// `kFunction` of the emulated kernels, allowed to touch the memory.
template <auto kFunction, class... Operands>
void as_device(const Operands&... operands) {
  const AsDevice device;
  (emulated_devices().front().kernels->*kFunction)(operands...);
}

/// as_device as a plain function of the type of the member.
template <auto kFunction, class... Operands>
constexpr void launch(void (*&to)(Operands...)) {
  to = [](Operands... operands) { as_device<kFunction>(operands...); };
}

DeviceKernels device_kernels() {
  DeviceKernels k{};
  k.name = "pretended";
  launch<&DeviceKernels::quantize>(k.quantize);
  launch<&DeviceKernels::quantize_wide>(k.quantize_wide);
  launch<&DeviceKernels::differentiate>(k.differentiate);
  launch<&DeviceKernels::differentiate_wide>(k.differentiate_wide);
  launch<&DeviceKernels::append>(k.append);
  launch<&DeviceKernels::attend>(k.attend);
  launch<&DeviceKernels::multiply>(k.multiply);
  launch<&DeviceKernels::decode>(k.decode);
  launch<&DeviceKernels::attend_tiles>(k.attend_tiles);
  launch<&DeviceKernels::attend_half>(k.attend_half);
  launch<&DeviceKernels::attend_bfloat16>(k.attend_bfloat16);
  return k;
}

}  // namespace

c10::Device pretended_device() {
  static const bool registered = [] {
    static Allocator allocator;
    static Hooks hooks;
    static const DeviceKernels kernels = device_kernels();
    c10::SetAllocator(kType, &allocator);
    c10::register_privateuse1_backend("pretended");
    at::RegisterPrivateUse1HooksInterface(&hooks);
    register_device_kernels(kType, kernels);
    return true;
  }();
  return {kType, static_cast<c10::DeviceIndex>(registered ? 0 : 1)};
}

int64_t pretended_bytes() {
  return Arena::instance().held;
}

void limit_pretended_bytes(int64_t most) {
  Arena::instance().limit = most;
}

}  // namespace wkvq::test
