#include "core/base/gguf/gguf_reader.h"

#include <algorithm>
#include <array>
#include <ranges>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr uint64_t kMaxText = uint64_t{1} << 27;

/// Bytes of one element by GgufKind; 0: not of one size.
constexpr std::array<uint64_t, 13> kWidths = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

}  // namespace

std::string_view GgufReader::take(uint64_t count) {
  if (count > bytes_.size() - at_) {
    config_error("{}: {} bytes asked for at {}, but the file ends at {}", file_, count, at_,
                 bytes_.size());
  }
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

std::string_view GgufReader::text(uint64_t most) {
  const auto length = number<uint64_t>();
  if (length > most) {
    config_error("{}: a text of {} bytes at {}, expected at most {}", file_, length, at_, most);
  }
  return take(length);
}

std::string GgufReader::name(uint64_t most, std::string_view what) {
  const size_t begin = at_;
  const std::string_view given = text(most);
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  if (given.empty() || !std::ranges::all_of(given, printable)) {
    config_error("{}: the name of a {} at {} is not printable ASCII", file_, what, begin);
  }
  return std::string(given);
}

GgufValue GgufReader::value(const std::string& key) {
  const auto kind_of = [&](uint32_t number) {
    if (number >= kWidths.size()) {
      config_error("{}: metadata '{}' is of type {}, expected 0 to {}", file_, key, number,
                   kWidths.size() - 1);
    }
    return static_cast<GgufKind>(number);
  };
  GgufValue value{.kind = kind_of(number<uint32_t>())};
  if (value.kind == GgufKind::kList) {
    value.list = true;
    value.kind = kind_of(number<uint32_t>());
    value.count = number<uint64_t>();
    if (value.kind == GgufKind::kList) {
      config_error("{}: metadata '{}' is a list of lists, which is not supported", file_, key);
    }
  }
  value.bytes = elements(key, value.kind, value.count);
  return value;
}

std::string_view GgufReader::elements(const std::string& key, GgufKind kind, uint64_t count) {
  const uint64_t width = kWidths[static_cast<size_t>(kind)];
  const uint64_t left = bytes_.size() - at_;
  // A text takes the 8 bytes of its length at least.
  if (count > left / (width == 0 ? 8 : width)) {
    config_error("{}: metadata '{}' has {} elements, more than the {} bytes behind it can hold",
                 file_, key, count, left);
  }
  const size_t begin = at_;
  if (width > 0) {
    take(count * width);
  } else {
    for (uint64_t i = 0; i < count; ++i) text(kMaxText);
  }
  const std::string_view taken = bytes_.substr(begin, at_ - begin);
  if (kind == GgufKind::kBool &&
      std::ranges::any_of(taken, [](char flag) { return flag != 0 && flag != 1; })) {
    config_error("{}: metadata '{}' has a truth value other than 0 and 1", file_, key);
  }
  return taken;
}

}  // namespace wkvq
