#pragma once

#include <hdf5.h>

#include <filesystem>
#include <string>
#include <utility>

namespace wkvq::hdf5 {

/// Owns one HDF5 identifier and closes it.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  operator hid_t() const { return id_; }
  bool valid() const { return id_ >= 0; }
  /// Closes now; negative where HDF5 could not (data may be lost).
  herr_t reset() { return id_ < 0 ? 0 : close_(std::exchange(id_, H5I_INVALID_HID)); }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

/// Stops HDF5 from printing its error stack in this thread.
void silence_errors();

/// Throws ConfigError "<file>: <what>: <HDF5's own, most specific message>".
[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what);

/// Returns `result`; fail() where it is negative.
template <class T>
T checked(T result, const std::filesystem::path& file, const std::string& what) {
  if (result < 0) fail(file, what);
  return result;
}

/// The in-memory type of variable-length UTF-8 strings.
Handle utf8_type();

}  // namespace wkvq::hdf5
