#include "datasets/tokenizers/sentencepiece_model.h"

#include <cstdint>

#include "core/base/error.h"

namespace wkvq {
namespace {

// Field numbers of sentencepiece_model.proto.
constexpr uint64_t kTrainerSpec = 2, kModelType = 3, kWhitespaceAsSuffix = 24;
constexpr uint64_t kNormalizerSpec = 3, kCharsMap = 2, kAddDummyPrefix = 3;
constexpr uint64_t kRemoveExtraWhitespaces = 4, kEscapeWhitespaces = 5;
constexpr uint64_t kBpe = 2;

/// Walks over the fields of one protocol-buffer message.
class Fields {
 public:
  Fields(std::string_view message, const std::string& where) : rest_(message), where_(where) {}

  uint64_t number = 0;
  uint64_t value = 0;      ///< of a varint
  std::string_view bytes;  ///< of a length-delimited field

  bool next() {
    if (rest_.empty()) return false;
    const uint64_t tag = varint();
    number = tag >> 3;
    bytes = {};
    value = 0;
    switch (tag & 7) {
      case 0:
        value = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        bytes = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        malformed();
    }
    return true;
  }

 private:
  [[noreturn]] void malformed() const {
    config_error("{}: not a SentencePiece model, or a truncated one", where_);
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) malformed();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  uint64_t varint() {
    uint64_t result = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1).front());
      result |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return result;
    }
    malformed();
  }

  std::string_view rest_;
  const std::string& where_;
};

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view bytes, const std::string& where) {
  SentencePieceModel model;
  bool rewrites = false;
  bool escapes = true;
  bool suffix = false;
  for (Fields field(bytes, where); field.next();) {
    Fields inner(field.bytes, where);
    while (field.number == kTrainerSpec && inner.next()) {
      if (inner.number == kModelType) model.bpe = inner.value == kBpe;
      if (inner.number == kWhitespaceAsSuffix) suffix = inner.value != 0;
    }
    while (field.number == kNormalizerSpec && inner.next()) {
      if (inner.number == kCharsMap) rewrites = !inner.bytes.empty();
      if (inner.number == kAddDummyPrefix) model.dummy_prefix = inner.value != 0;
      if (inner.number == kRemoveExtraWhitespaces) model.removes_spaces = inner.value != 0;
      if (inner.number == kEscapeWhitespaces) escapes = inner.value != 0;
    }
  }
  model.plain = !rewrites && escapes && !suffix;
  return model;
}

}  // namespace wkvq
