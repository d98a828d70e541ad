#include "core/base/gguf/gguf_fields.h"

#include <cmath>
#include <cstring>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr size_t kShown = 60;  // characters of a text that a message repeats

template <class T>
T read(std::string_view bytes, uint64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

/// Calls `use` with element `index` in its own type; false where it is no number.
template <class Use>
bool with_number(const GgufValue& value, uint64_t index, const Use& use) {
  switch (value.kind) {
    case GgufKind::kUint8:
      return use(read<uint8_t>(value.bytes, index)), true;
    case GgufKind::kInt8:
      return use(read<int8_t>(value.bytes, index)), true;
    case GgufKind::kUint16:
      return use(read<uint16_t>(value.bytes, index)), true;
    case GgufKind::kInt16:
      return use(read<int16_t>(value.bytes, index)), true;
    case GgufKind::kUint32:
      return use(read<uint32_t>(value.bytes, index)), true;
    case GgufKind::kInt32:
      return use(read<int32_t>(value.bytes, index)), true;
    case GgufKind::kUint64:
      return use(read<uint64_t>(value.bytes, index)), true;
    case GgufKind::kInt64:
      return use(read<int64_t>(value.bytes, index)), true;
    case GgufKind::kFloat32:
      return use(read<float>(value.bytes, index)), true;
    case GgufKind::kFloat64:
      return use(read<double>(value.bytes, index)), true;
    case GgufKind::kBool:
    case GgufKind::kText:
    case GgufKind::kList:
      break;
  }
  return false;
}

bool is_number(const GgufValue& value) {
  return value.kind != GgufKind::kBool && value.kind != GgufKind::kText;
}

bool is_integer(const GgufValue& value) {
  return is_number(value) && value.kind != GgufKind::kFloat32 && value.kind != GgufKind::kFloat64;
}

std::string_view text_of(const GgufValue& value) {
  return value.bytes.substr(sizeof(uint64_t));
}

/// A value as messages show it: texts cut short, without control characters.
std::string shown(const GgufValue& value) {
  if (value.list) return fmt::format("a list of {}", value.count);
  if (value.kind == GgufKind::kBool) return value.bytes[0] != 0 ? "true" : "false";
  std::string result;
  if (with_number(value, 0, [&](auto number) { result = fmt::format("{}", number); })) {
    return result;
  }
  for (const char c : text_of(value).substr(0, kShown)) result += c >= ' ' && c <= '~' ? c : '?';
  return fmt::format("'{}'", result);
}

}  // namespace

const GgufValue* GgufFields::find(const std::string& key) const {
  const auto found = values_->find(key);
  return found == values_->end() ? nullptr : &found->second;
}

const GgufValue& GgufFields::required(const std::string& key) const {
  if (const GgufValue* value = find(key)) return *value;
  config_error("{}: no metadata '{}'", where_, key);
}

void GgufFields::refuse(const std::string& key, const std::string& expected) const {
  config_error("{}: metadata '{}' is {}; {}", where_, key, shown(required(key)), expected);
}

int64_t GgufFields::integer(const std::string& key, int64_t least, int64_t most) const {
  const GgufValue& value = required(key);
  int64_t result = -1;
  bool fits = !value.list && is_integer(value);
  if (fits) {
    with_number(value, 0, [&](auto number) {
      fits = static_cast<double>(number) < 0x1p63;
      if (fits) result = static_cast<int64_t>(number);
    });
  }
  if (!fits || result < least || result > most) {
    refuse(key, fmt::format("expected an integer from {} to {}", least, most));
  }
  return result;
}

int64_t GgufFields::integer_or(const std::string& key, int64_t if_absent, int64_t least,
                               int64_t most) const {
  return find(key) ? integer(key, least, most) : if_absent;
}

double GgufFields::number(const std::string& key, double least, double most) const {
  const GgufValue& value = required(key);
  double result = std::nan("");
  if (!value.list) {
    with_number(value, 0, [&](auto number) { result = static_cast<double>(number); });
  }
  if (!(result >= least && result <= most)) {
    refuse(key, fmt::format("expected a number from {} to {}", least, most));
  }
  return result;
}

bool GgufFields::flag_or(const std::string& key, bool if_absent) const {
  const GgufValue* value = find(key);
  if (!value) return if_absent;
  if (value->list || value->kind != GgufKind::kBool) refuse(key, "expected true or false");
  return value->bytes[0] != 0;
}

std::string GgufFields::text(const std::string& key) const {
  const GgufValue& value = required(key);
  if (value.list || value.kind != GgufKind::kText) refuse(key, "expected a text");
  return std::string(text_of(value));
}

std::string GgufFields::text_or(const std::string& key, const std::string& if_absent) const {
  return find(key) ? text(key) : if_absent;
}

std::vector<std::string_view> GgufFields::texts(const std::string& key) const {
  const GgufValue& value = required(key);
  if (!value.list || value.kind != GgufKind::kText) refuse(key, "expected a list of texts");
  std::vector<std::string_view> result;
  std::string_view rest = value.bytes;
  while (!rest.empty()) {
    const auto length = read<uint64_t>(rest, 0);
    result.push_back(rest.substr(sizeof(uint64_t), length));
    rest.remove_prefix(sizeof(uint64_t) + length);
  }
  return result;
}

std::vector<double> GgufFields::numbers(const std::string& key) const {
  const GgufValue& value = required(key);
  if (!value.list || !is_number(value)) refuse(key, "expected a list of numbers");
  std::vector<double> result;
  for (uint64_t i = 0; i < value.count; ++i) {
    with_number(value, i, [&](auto number) { result.push_back(static_cast<double>(number)); });
  }
  return result;
}

}  // namespace wkvq
