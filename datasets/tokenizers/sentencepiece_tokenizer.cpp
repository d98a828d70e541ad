#include "datasets/tokenizers/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"
#include "datasets/tokenizers/files.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {
namespace {

// A serialized ModelProto with nothing but normalizer_spec.add_dummy_prefix = false. Protocol
// buffers merge what is appended, so this switches the option of the model in front of it.
constexpr std::string_view kNoDummyPrefix("\x1a\x02\x18\x00", 4);

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(const std::filesystem::path& path,
                                               const TokenizerConfig& config)
    : SentencePieceTokenizer(read_file(path), path, config) {}

SentencePieceTokenizer::SentencePieceTokenizer(std::string bytes, const std::filesystem::path& path,
                                               const TokenizerConfig& config)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()),
      legacy_(config.legacy.value_or(true)),
      prefix_space_(config.add_prefix_space.value_or(true)) {
  fingerprint_ = hash_of({bytes, config.bytes + config.more_bytes});
  model_ = read_sentencepiece_model(bytes, path.string());
  load(bytes, path);
  // Scores of unigram pieces are summed along the text: cut elsewhere, they could round otherwise.
  by_words_ = model_.plain && model_.bpe && no_piece_crosses_words();
  if (by_words_ || !legacy_) load(bytes.append(kNoDummyPrefix), path);
  vocab_size_ = processor_->GetPieceSize();
  read_config(path, config);
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

void SentencePieceTokenizer::load(const std::string& bytes, const std::filesystem::path& path) {
  const auto status = processor_->LoadFromSerializedProto(bytes);
  if (!status.ok() || processor_->GetPieceSize() == 0) {
    config_error("{}: not a SentencePiece model: {}", path.string(), shown(status.ToString()));
  }
}

void SentencePieceTokenizer::read_config(const std::filesystem::path& path,
                                         const TokenizerConfig& config) {
  for (const AddedToken& token : config.added_tokens) {
    if (token.single_word) {
      config_error("{}: single_word of '{}' is not supported with {}", config.where,
                   shown(token.content), path.string());
    }
    const int32_t known = piece(token.content);
    if (known >= 0 ? known != token.id : token.id < processor_->GetPieceSize()) {
      config_error("{}: added token '{}' has id {}, which contradicts {}", config.where,
                   shown(token.content), token.id, path.string());
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
      config_error("{}: token '{}' is not in {}", config.where, shown(text), path.string());
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
  cache_.with([&](WordCache& cache) {
    if (is_valid_utf8(text)) {
      encode_text(text, cache, ids);
    } else {
      encode_text(repair_utf8(text), cache, ids);
    }
  });
  if (add_special && add_eos_) ids.push_back(eos_);
  return ids;
}

bool SentencePieceTokenizer::no_piece_crosses_words() const {
  for (int id = 0; id < processor_->GetPieceSize(); ++id) {
    const std::string& text = processor_->IdToPiece(id);
    if (mark_behind_text(text, 0) != text.npos || text.find(' ') != text.npos) return false;
  }
  // An unknown mark would join the unknown characters around it.
  return piece(std::string(kMark)) >= 0;
}

std::string SentencePieceTokenizer::begin_modern(std::string_view text) const {
  std::string marked(prefix_space_ ? kMark : "");
  for (size_t at = 0; at < text.size();) {
    const bool mark = text.substr(at).starts_with(kMark);
    marked += mark ? ' ' : text[at];
    at += mark ? kMark.size() : 1;
  }
  // The space in front of a text that begins with a special token goes away again.
  const auto begins = [&](const AddedToken& token) {
    return token.special && marked.compare(kMark.size(), token.content.size(), token.content) == 0;
  };
  if (prefix_space_ && std::ranges::any_of(added_, begins)) marked.erase(0, kMark.size());
  return marked;
}

void SentencePieceTokenizer::encode_text(std::string_view text, WordCache& cache,
                                         std::vector<int32_t>& ids) const {
  const std::string modern = legacy_ || text.empty() ? "" : begin_modern(text);
  const AddedTokens::OnText encode_stretch = [&](std::string_view stretch, size_t) {
    if (by_words_) {
      encode_words(stretch, cache, ids);
    } else {
      encode_whole(stretch, ids);
    }
  };
  finder_.split(legacy_ ? text : modern, encode_stretch, [&](int32_t id) { ids.push_back(id); });
}

std::string SentencePieceTokenizer::with_marks(std::string_view text) const {
  std::string marked(legacy_ && model_.dummy_prefix ? kMark : "");
  // The later way shields leading space from being removed (see encode_whole).
  bool drop_space = model_.removes_spaces && legacy_;
  for (const char c : text) {
    if (c != ' ') {
      marked += c;
    } else if (!drop_space) {
      marked += kMark;
    }
    drop_space = model_.removes_spaces && (c == ' ');
  }
  while (model_.removes_spaces && marked.ends_with(kMark)) {
    marked.resize(marked.size() - kMark.size());
  }
  return marked;
}

void SentencePieceTokenizer::encode_words(std::string_view text, WordCache& cache,
                                          std::vector<int32_t>& ids) const {
  const std::string marked = with_marks(text);
  const std::string_view all = marked;
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(mark_behind_text(all, begin + 1), all.size());
    cache.append(
        all.substr(begin, end - begin), ids,
        [this](std::string_view word, std::vector<int32_t>& out) { run_library(word, 0, out); });
    begin = end;
  }
}

void SentencePieceTokenizer::encode_whole(std::string_view text, std::vector<int32_t>& ids) const {
  if (!legacy_ && (text.starts_with(kMark) || text.starts_with(' '))) {
    // The library may strip leading space, so some text goes in front and out again.
    run_library(unk_text_ + std::string(text), unk_text_length_, ids);
  } else {
    run_library(text, 0, ids);
  }
}

void SentencePieceTokenizer::run_library(std::string_view text, size_t skipped,
                                         std::vector<int32_t>& ids) const {
  std::vector<int> pieces;
  const auto status = processor_->Encode({text.data(), text.size()}, &pieces);
  if (!status.ok()) config_error("SentencePiece cannot encode: {}", shown(status.ToString()));
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
    if (!status.ok()) config_error("SentencePiece cannot decode: {}", shown(status.ToString()));
    const bool prefixed = legacy_ ? by_words_ && model_.dummy_prefix : prefix_space_ && first;
    if (prefixed && text.starts_with(' ')) text.erase(0, 1);
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
