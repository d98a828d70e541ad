#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/gguf/gguf.h"

namespace wkvq::test {

/// The little-endian bytes of `value`.
template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

/// Puts a GGUF file together as it is told to, sound or not.
class GgufBytes {
 public:
  static std::string text(const std::string& value) { return raw<uint64_t>(value.size()) + value; }

  GgufBytes& value(const std::string& key, GgufKind kind, const std::string& bytes) {
    metadata_ += text(key) + raw(static_cast<uint32_t>(kind)) + bytes;
    ++values_;
    return *this;
  }
  GgufBytes& integer(const std::string& key, uint32_t number) {
    return value(key, GgufKind::kUint32, raw(number));
  }
  GgufBytes& number(const std::string& key, float number) {
    return value(key, GgufKind::kFloat32, raw(number));
  }
  GgufBytes& flag(const std::string& key, bool flag) {
    return value(key, GgufKind::kBool, raw<uint8_t>(flag ? 1 : 0));
  }
  GgufBytes& word(const std::string& key, const std::string& word) {
    return value(key, GgufKind::kText, text(word));
  }
  GgufBytes& list(const std::string& key, GgufKind kind, uint64_t count, const std::string& bytes) {
    return value(key, GgufKind::kList, raw(static_cast<uint32_t>(kind)) + raw(count) + bytes);
  }
  GgufBytes& words(const std::string& key, const std::vector<std::string>& words) {
    std::string bytes;
    for (const std::string& word : words) bytes += text(word);
    return list(key, GgufKind::kText, words.size(), bytes);
  }

  /// `extents`: columns first, as in the file. Its data follow those of the tensor before it.
  GgufBytes& tensor(const std::string& name, const std::vector<uint64_t>& extents, uint32_t type,
                    const std::string& data) {
    return tensor_at(name, extents, type, data_.size(), data);
  }
  GgufBytes& tensor_at(const std::string& name, const std::vector<uint64_t>& extents, uint32_t type,
                       uint64_t offset, const std::string& data) {
    tensors_ += text(name) + raw(static_cast<uint32_t>(extents.size()));
    for (const uint64_t extent : extents) tensors_ += raw(extent);
    tensors_ += raw(type) + raw(offset);
    data_ += data;
    pad(data_);
    ++count_;
    return *this;
  }

  /// The header alone is header_bytes() long.
  std::string bytes(uint32_t version = 3) const {
    std::string all = "GGUF" + raw(version) + raw(count_) + raw(values_) + metadata_ + tensors_;
    pad(all);
    return all + data_;
  }
  size_t header_bytes() const { return 24 + metadata_.size() + tensors_.size(); }

 private:
  static void pad(std::string& bytes) { bytes.resize((bytes.size() + 31) / 32 * 32, '\0'); }

  std::string metadata_, tensors_, data_;
  uint64_t values_ = 0, count_ = 0;
};

}  // namespace wkvq::test
