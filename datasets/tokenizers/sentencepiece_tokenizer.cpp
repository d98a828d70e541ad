#include "datasets/tokenizers/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "core/base/error.h"
#include "datasets/tokenizers/files.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space

// A serialized ModelProto with nothing but normalizer_spec.add_dummy_prefix = false. Protocol
// buffers merge what is appended, so this switches the option of the model in front of it.
constexpr std::string_view kNoDummyPrefix("\x1a\x02\x18\x00", 4);

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(const std::filesystem::path& path,
                                               const TokenizerConfig& config)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()),
      legacy_(config.legacy.value_or(true)),
      prefix_space_(config.add_prefix_space.value_or(true)) {
  std::string bytes = read_file(path);
  fingerprint_ = hash_of({bytes, config.bytes});
  if (!legacy_) bytes += kNoDummyPrefix;
  const auto status = processor_->LoadFromSerializedProto(bytes);
  if (!status.ok() || processor_->GetPieceSize() == 0) {
    config_error("{}: not a SentencePiece model: {}", path.string(), status.ToString());
  }
  vocab_size_ = processor_->GetPieceSize();
  read_config(path, config);
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

void SentencePieceTokenizer::read_config(const std::filesystem::path& path,
                                         const TokenizerConfig& config) {
  for (const AddedToken& token : config.added_tokens) {
    if (token.single_word) {
      config_error("{}: single_word of '{}' is not supported with {}", config.where, token.content,
                   path.string());
    }
    const int32_t known = piece(token.content);
    if (known >= 0 ? known != token.id : token.id < processor_->GetPieceSize()) {
      config_error("{}: added token '{}' has id {}, which contradicts {}", config.where,
                   token.content, token.id, path.string());
    }
    added_.push_back(token);
    vocab_size_ = std::max<int64_t>(vocab_size_, token.id + 1);
  }
  const auto special = [&](const std::optional<std::string>& given, const char* usual) {
    const std::string text = given.value_or(usual);
    const auto same = [&](const AddedToken& token) { return token.content == text; };
    if (const auto found = std::ranges::find_if(added_, same); found != added_.end()) {
      return found->id;
    }
    const int32_t id = piece(text);
    if (id >= 0) {
      added_.push_back({.id = id, .content = text, .special = true, .normalized = false});
    } else if (given) {
      config_error("{}: token '{}' is not in {}", config.where, text, path.string());
    }
    return id;
  };
  special(config.unk_token, "<unk>");
  bos_ = special(config.bos_token, "<s>");
  eos_ = special(config.eos_token, "</s>");
  add_bos_ = bos_ >= 0 && config.add_bos_token.value_or(true);
  add_eos_ = eos_ >= 0 && config.add_eos_token.value_or(false);
  finder_ = AddedTokens(added_);
  unk_text_ = config.unk_token.value_or("<unk>");
  unk_text_length_ = processor_->EncodeAsIds(unk_text_).size();
}

int32_t SentencePieceTokenizer::piece(const std::string& text) const {
  const int id = processor_->PieceToId(text);
  return id >= 0 && id < processor_->GetPieceSize() && processor_->IdToPiece(id) == text ? id : -1;
}

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text, bool add_special) const {
  std::vector<int32_t> ids;
  if (add_special && add_bos_) ids.push_back(bos_);
  if (is_valid_utf8(text)) {
    encode_text(text, ids);
  } else {
    encode_text(repair_utf8(text), ids);
  }
  if (add_special && add_eos_) ids.push_back(eos_);
  return ids;
}

void SentencePieceTokenizer::encode_text(std::string_view text, std::vector<int32_t>& ids) const {
  std::string marked;
  if (!legacy_ && !text.empty()) {
    if (prefix_space_) marked = kMark;
    for (size_t at = 0; at < text.size();) {
      const bool mark = text.substr(at).starts_with(kMark);
      marked += mark ? ' ' : text[at];
      at += mark ? kMark.size() : 1;
    }
    text = marked;
    // The space in front of a text that begins with a special token goes away again.
    const auto begins = [&](const AddedToken& token) {
      return token.special && text.substr(kMark.size()).starts_with(token.content);
    };
    if (prefix_space_ && std::ranges::any_of(added_, begins)) text.remove_prefix(kMark.size());
  }
  finder_.split(
      text, [&](std::string_view part, size_t) { encode_stretch(part, ids); },
      [&](int32_t id) { ids.push_back(id); });
}

void SentencePieceTokenizer::encode_stretch(std::string_view text,
                                            std::vector<int32_t>& ids) const {
  std::vector<int> pieces;
  size_t skipped = 0;
  std::string shielded;
  if (!legacy_ && (text.starts_with(kMark) || text.starts_with(' '))) {
    // SentencePiece may strip leading space, so some text goes in front and out again.
    shielded = unk_text_ + std::string(text);
    text = shielded;
    skipped = unk_text_length_;
  }
  const auto status = processor_->Encode({text.data(), text.size()}, &pieces);
  if (!status.ok()) config_error("SentencePiece cannot encode: {}", status.ToString());
  skipped = std::min(skipped, pieces.size());
  ids.insert(ids.end(), pieces.begin() + static_cast<std::ptrdiff_t>(skipped), pieces.end());
}

std::string SentencePieceTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string out;
  std::vector<int> stretch;
  bool first = true;
  const auto flush = [&] {
    std::string text;
    const auto status = processor_->Decode(stretch, &text);
    if (!status.ok()) config_error("SentencePiece cannot decode: {}", status.ToString());
    if (!legacy_ && prefix_space_ && first && text.starts_with(' ')) text.erase(0, 1);
    if (!stretch.empty()) first = false;
    stretch.clear();
    out += text;
  };
  for (const int32_t id : ids) {
    const auto added = std::ranges::find(added_, id, &AddedToken::id);
    if (added != added_.end()) {
      flush();
      first = false;
      out += added->content;
    } else if (id >= 0 && id < processor_->GetPieceSize()) {
      stretch.push_back(id);
    }
  }
  flush();
  return out;
}

}  // namespace wkvq
