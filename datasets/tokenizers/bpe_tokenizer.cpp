#include "datasets/tokenizers/bpe_tokenizer.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/base/error.h"
#include "core/base/json/json.h"
#include "core/base/text/visible_text.h"
#include "datasets/tokenizers/bpe_reader.h"
#include "datasets/tokenizers/files.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {

BpeTokenizer::BpeTokenizer(BpeStages stages, const TokenizerConfig& config)
    : stages_(std::move(stages)), bpe_(stages_.bpe) {
  stages_.bpe = {};
  tokens_ = bpe_.tokens();
  add_tokens(config);
  apply_config(config);
  for (const auto* ids : {&stages_.post_processor.prefix, &stages_.post_processor.suffix}) {
    for (const int32_t id : *ids) {
      if (id >= vocab_size()) {
        config_error("{}: post_processor names id {}, expected below {}", stages_.where, id,
                     vocab_size());
      }
    }
  }
}

void BpeTokenizer::add_tokens(const TokenizerConfig& config) {
  std::vector<AddedToken> added = std::move(stages_.added_tokens);
  std::unordered_set<std::string> own;
  for (const AddedToken& token : added) own.insert(token.content);
  for (const AddedToken& token : config.added_tokens)
    if (!own.contains(token.content)) added.push_back(token);
  std::ranges::stable_partition(added, &AddedToken::special);
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  for (AddedToken& token : added) {
    const auto index = static_cast<size_t>(token.id);
    if (index >= tokens_.size()) tokens_.resize(index + 1);
    const int32_t in_model = bpe_.find(token.content);
    const bool taken = !tokens_[index].empty() && tokens_[index] != token.content;
    if (taken || (in_model >= 0 && in_model != token.id)) {
      config_error("{}: added token '{}' has id {}, which contradicts the vocabulary",
                   stages_.where, shown(token.content), token.id);
    }
    tokens_[index] = token.content;
    if (token.normalized) token.content = stages_.normalizer.apply(token.content);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_ = AddedTokens(std::move(raw));
  normalized_ = AddedTokens(std::move(normalized));
}

int32_t BpeTokenizer::find(const std::string& token, const char* role) const {
  const auto found = std::ranges::find(tokens_, token);
  if (found == tokens_.end() || token.empty()) {
    config_error("{}: {} '{}' is not in the vocabulary", stages_.where, role, shown(token));
  }
  return static_cast<int32_t>(found - tokens_.begin());
}

void BpeTokenizer::apply_config(const TokenizerConfig& config) {
  PostProcessor& post = stages_.post_processor;
  if (config.bos_token) bos_ = find(*config.bos_token, "bos_token");
  if (config.eos_token) eos_ = find(*config.eos_token, "eos_token");
  if (config.llama()) {
    if (!config.bos_token) bos_ = find("<s>", "bos_token");
    if (!config.eos_token) eos_ = find("</s>", "eos_token");
    post = {};
    if (config.add_bos_token.value_or(true)) post.prefix = {bos_};
    if (config.add_eos_token.value_or(false)) post.suffix = {eos_};
  }
  // The fast classes of transformers, and lm-evaluation-harness with them, ignore add_bos_token; we
  // do not: a model published with `false` was not trained to begin with BOS.
  if (!config.add_bos_token.value_or(true)) std::erase(post.prefix, bos_);
  // Without tokenizer_config.json the template is all there is to tell what begins a text.
  if (config.bytes.empty() && !post.prefix.empty()) bos_ = post.prefix.front();
}

bool BpeTokenizer::adds_bos() const {
  const auto& prefix = stages_.post_processor.prefix;
  return bos_ >= 0 && !prefix.empty() && prefix.front() == bos_;
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text, bool add_special) const {
  std::vector<int32_t> ids;
  const PostProcessor& post = stages_.post_processor;
  if (add_special) ids = post.prefix;
  cache_.with([&](WordCache& cache) {
    if (is_valid_utf8(text)) {
      encode_text(text, cache, ids);
    } else {
      encode_text(repair_utf8(text), cache, ids);
    }
  });
  if (add_special) ids.insert(ids.end(), post.suffix.begin(), post.suffix.end());
  return ids;
}

void BpeTokenizer::encode_text(std::string_view text, WordCache& cache,
                               std::vector<int32_t>& ids) const {
  const PieceSink encode_word = [&](std::string_view word, bool) { bpe_.encode(word, cache, ids); };
  const AddedTokens::OnToken push = [&](int32_t id) { ids.push_back(id); };
  raw_.split(
      text,
      [&](std::string_view part, size_t offset) {
        normalized_.split(
            stages_.normalizer.apply(part),
            [&](std::string_view piece, size_t inner) {
              stages_.pre_tokenizer.split(piece, offset == 0 && inner == 0, encode_word);
            },
            push);
      },
      push);
}

std::string BpeTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (const int32_t id : ids) {
    if (id >= 0 && id < vocab_size()) texts.push_back(tokens_[static_cast<size_t>(id)]);
  }
  return stages_.decoder.apply(std::move(texts));
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const std::filesystem::path& path,
                                               const TokenizerConfig& config) {
  const std::string bytes = read_file(path);
  const auto json = parse_json(bytes, path.string());
  const JsonNode root(json, path.string());
  const auto component = [&](const char* key) {
    return JsonNode(root.at(key).value(), fmt::format("{}: {}", path.string(), key));
  };
  BpeStages stages;
  stages.where = path.string();
  stages.fingerprint = hash_of({bytes, config.bytes + config.more_bytes});
  if (root.has("normalizer")) stages.normalizer = Normalizer(component("normalizer"));
  if (root.has("pre_tokenizer")) stages.pre_tokenizer = PreTokenizer(component("pre_tokenizer"));
  if (root.has("decoder")) stages.decoder = Decoder(component("decoder"));
  if (root.has("post_processor")) {
    stages.post_processor = read_post_processor(component("post_processor"));
  }
  stages.bpe = read_bpe(component("model"), stages.pre_tokenizer.byte_level());
  if (root.has("added_tokens")) {
    const JsonNode added = component("added_tokens");
    for (size_t i = 0; i < added.size(); ++i) {
      const JsonNode token = added.at(i);
      stages.added_tokens.push_back(read_added_token(token, token.at("id").integer()));
    }
  }
  return std::make_unique<BpeTokenizer>(std::move(stages), config);
}

}  // namespace wkvq
