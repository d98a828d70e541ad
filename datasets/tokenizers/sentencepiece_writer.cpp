#include "datasets/tokenizers/sentencepiece_writer.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace wkvq {
namespace {

constexpr int kByte = 6;

/// Appends fields of a protocol-buffer message.
class Message {
 public:
  Message& integer(uint64_t field, uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  Message& number(uint64_t field, float value) {
    varint(field << 3 | 5);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift & 0xFF);
    return *this;
  }
  Message& text(uint64_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7F) | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace

std::string write_sentencepiece_model(const std::vector<SentencePiece>& pieces, bool prefix_space) {
  // The numbers are those of the fields in sentencepiece_model.proto.
  Message model;
  for (const SentencePiece& piece : pieces) {
    model.text(1, Message()
                      .text(1, piece.text)
                      .number(2, piece.score)
                      .integer(3, static_cast<uint64_t>(piece.type))
                      .bytes());
  }
  const bool bytes = std::ranges::find(pieces, kByte, &SentencePiece::type) != pieces.end();
  constexpr uint64_t kBpe = 2;
  model.text(2, Message()
                    .integer(3, kBpe)
                    .integer(4, pieces.size())
                    .integer(35, bytes ? 1 : 0)  // byte_fallback
                    .bytes());
  model.text(3, Message()
                    .text(1, "identity")
                    .integer(3, prefix_space ? 1 : 0)  // add_dummy_prefix
                    .integer(4, 0)                     // remove_extra_whitespaces
                    .integer(5, 1)                     // escape_whitespaces
                    .bytes());
  return model.bytes();
}

}  // namespace wkvq
