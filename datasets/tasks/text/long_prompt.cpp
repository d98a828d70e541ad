#include "datasets/tasks/text/long_prompt.h"

#include <algorithm>

#include "core/base/error.h"
#include "datasets/corpora/corpus.h"
#include "datasets/tasks/text/python_text.h"

namespace wkvq {

namespace {

std::vector<int32_t> encode(const DatasetContext& context, const std::string& text) {
  return encode_text(context, text, BosRule::kTokenizer);
}

std::string plain_text(const Tokenizer& tokenizer, std::vector<int32_t> tokens) {
  std::erase(tokens, static_cast<int32_t>(tokenizer.bos_token()));
  std::erase(tokens, static_cast<int32_t>(tokenizer.eos_token()));
  return tokenizer.decode(tokens);
}

/// Its first and last length / 2 tokens, as text.
std::string without_middle(const Tokenizer& tokenizer, const std::vector<int32_t>& tokens,
                           int64_t length) {
  const std::ptrdiff_t half = length / 2;
  return plain_text(tokenizer, {tokens.begin(), tokens.begin() + half}) +
         plain_text(tokenizer, {tokens.end() - half, tokens.end()});
}

/// The prompt with as many of the document's first words as keep it at `length` tokens.
std::string shortened(const DatasetContext& context, const std::string& prompt, TextItem item,
                      int64_t length) {
  const std::vector<std::string> words = python::split(item.fields["input"], " ");
  const auto with = [&](size_t count) {
    item.fields["input"] =
        python::join({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count)}, " ");
    return fill_prompt(prompt, item);
  };
  size_t fits = 0, too_many = words.size() + 1;
  while (too_many - fits > 1) {
    const size_t middle = (fits + too_many) / 2;
    const bool short_enough = static_cast<int64_t>(encode(context, with(middle)).size()) <= length;
    (short_enough ? fits : too_many) = middle;
  }
  return with(fits);
}

}  // namespace

LongPrompt long_prompt(const DatasetContext& context, const TextTaskDeclaration& declaration,
                       const TextItem& item, const ChatText& chat, const PromptLimits& limits) {
  const std::string whole = fill_prompt(declaration.prompt, item);
  const auto wrapped = [&](const std::string& text) {
    return encode(context, declaration.chat ? chat.before + text + chat.after : text);
  };
  const std::vector<int32_t> tokens = encode(context, whole);
  const auto too_long = [](const std::vector<int32_t>& ids, int64_t most) {
    return static_cast<int64_t>(ids.size()) > most;
  };
  LongPrompt prompt;
  if (!too_long(tokens, limits.cut_to)) prompt.tokens = wrapped(whole);
  // Text that is joined and tokenized again, or gets chat text, may be longer than it was.
  int64_t length = std::min(limits.cut_to, static_cast<int64_t>(tokens.size()));
  while (prompt.tokens.empty() || too_long(prompt.tokens, limits.most)) {
    if (prompt.cut || !prompt.tokens.empty())
      length -= std::max<int64_t>(2, static_cast<int64_t>(prompt.tokens.size()) - limits.most);
    if (length < 2)
      config_error("{}: item {}: its prompt cannot be cut to the {} tokens there are for it",
                   declaration.task_name(), item.id, limits.most);
    prompt.cut = true;
    prompt.tokens = wrapped(declaration.suite == TextSuite::kLongBench
                                ? without_middle(*context.tokenizer, tokens, length)
                                : shortened(context, declaration.prompt, item, length));
  }
  return prompt;
}

}  // namespace wkvq
