#include "datasets/tokenizers/added_tokens.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"
#include "datasets/tokenizers/bpe.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {

AddedToken read_added_token(const JsonNode& node, int64_t id) {
  AddedToken token;
  token.content = node.text("content");
  if (id < 0 || id >= kTokenIdLimit) {
    config_error("{}: token '{}' has id {}, expected 0 to {}", node.where(), shown(token.content),
                 id, kTokenIdLimit - 1);
  }
  if (token.content.empty()) config_error("{}: 'content' is empty", node.where());
  token.id = static_cast<int32_t>(id);
  token.special = node.flag_or("special", false);
  token.normalized = node.flag_or("normalized", !token.special);
  token.lstrip = node.flag_or("lstrip", false);
  token.rstrip = node.flag_or("rstrip", false);
  token.single_word = node.flag_or("single_word", false);
  return token;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) {
  for (AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    std::string content = token.content;
    const auto first = static_cast<uint8_t>(content.front());
    lengths_[first].push_back(content.size());
    by_content_.emplace(std::move(content), std::move(token));
  }
  for (std::vector<size_t>& lengths : lengths_) {
    std::ranges::sort(lengths, std::ranges::greater{});
    lengths.erase(std::ranges::unique(lengths).begin(), lengths.end());
  }
}

const AddedToken* AddedTokens::match(std::string_view text, size_t at) const {
  for (const size_t length : lengths_[static_cast<uint8_t>(text[at])]) {
    if (length > text.size() - at) continue;
    const auto found = by_content_.find(text.substr(at, length));
    if (found != by_content_.end()) return &found->second;
  }
  return nullptr;
}

void AddedTokens::split(std::string_view text, const OnText& on_text,
                        const OnToken& on_token) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = match(text, at);
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at;
    size_t end = at + token->content.size();
    at = end;
    if (token->single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) {
      continue;
    }
    if (token->lstrip) begin = std::max(done, begin - trailing_space(text.substr(0, begin)));
    if (token->rstrip) end += leading_space(text.substr(end));
    if (begin > done) on_text(text.substr(done, begin - done), done);
    on_token(token->id);
    done = end;
  }
  if (done < text.size()) on_text(text.substr(done), done);
}

}  // namespace wkvq
