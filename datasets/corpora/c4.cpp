#include "datasets/corpora/c4.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "datasets/corpora/documents.h"
#include "datasets/random/python_random.h"
#include "datasets/readers/text_file.h"

namespace wkvq {

namespace {

constexpr int64_t kWindows = 256;
constexpr int64_t kNewDocuments = 1100;
constexpr int64_t kMaxContext = int64_t{1} << 24;

// Tokenizes documents as they are drawn: of a shard of 45,000 only a few thousand are.
class LazyDocuments {
 public:
  LazyDocuments(const DatasetContext& context, std::vector<std::string> texts, BosRule bos)
      : context_(context), texts_(std::move(texts)), bos_(bos) {}

  int64_t size() const { return static_cast<int64_t>(texts_.size()); }
  int64_t seen() const { return static_cast<int64_t>(ids_.size()); }
  const std::vector<int32_t>& operator[](int64_t index) {
    const auto [entry, is_new] = ids_.try_emplace(index);
    if (is_new) {
      entry->second = encode_text(context_, texts_[static_cast<size_t>(index)], bos_);
    }
    return entry->second;
  }

 private:
  const DatasetContext& context_;
  std::vector<std::string> texts_;
  BosRule bos_;
  std::map<int64_t, std::vector<int32_t>> ids_;
};

}  // namespace

void C4Dataset::visit(OptionVisitor& v) {
  v("path", path_, "C4 validation shard 0 as JSON lines (field text), unpacked");
  v.choice("variant", variant_, {"new", "old"},
           "new: first 1100 documents; old: 256 random windows (GPTQ's first tables)");
  v("context", context_, "window length that the convention is laid out for");
  v.choice("bos", bos_, bos_rule_names(),
           "BOS as the tokenizer's files ask, none, or one at the start");
  if (path_.empty()) v.reject("path", "expected a JSON-lines file");
  if (context_ < 1 || context_ > kMaxContext) v.reject("context", "expected 1..2^24");
}

std::string C4Dataset::summary() const {
  return "C4 validation in the conventions c4-new and c4 of the GPTQ tables";
}

std::string C4Dataset::label() const {
  return variant_ == Variant::kNew ? "c4-new" : "c4";
}

Corpus C4Dataset::load(const DatasetContext& context) const {
  Corpus corpus = variant_ == Variant::kNew ? load_new(context) : load_old(context);
  return finish_corpus(std::move(corpus), context, path_);
}

Corpus C4Dataset::load_new(const DatasetContext& context) const {
  const auto documents = read_jsonl(path_, "text", kNewDocuments);
  std::string text = documents.front();
  for (size_t i = 1; i < documents.size(); ++i) text += " " + documents[i];
  Corpus corpus;
  corpus.stream = encode_text(context, text, bos_);
  const size_t wanted = static_cast<size_t>(kWindows * context_);
  if (corpus.stream.size() > wanted) corpus.stream.resize(wanted);
  corpus.convention = fmt::format(
      "C4 new: first {} documents{} joined by \" \", tokenized once, first {} tokens, {}",
      documents.size(), documents.size() < kNewDocuments ? " (1100 in the published sets)" : "",
      corpus.stream.size(), bos_words(context, bos_));
  corpus.documents = [path = path_] {
    Documents read{make_documents(read_jsonl(path, "text", kNewDocuments)), {}};
    read.convention = fmt::format("C4: first {} documents, each alone", read.items.size());
    return read;
  };
  return corpus;
}

Corpus C4Dataset::load_old(const DatasetContext& context) const {
  LazyDocuments documents(context, read_jsonl(path_, "text", 0), bos_);
  PythonRandom random(0);
  Corpus corpus;
  bool any_long = false;
  while (static_cast<int64_t>(corpus.windows.size()) < kWindows) {
    const auto& ids = documents[random.randint(0, documents.size() - 1)];
    const int64_t spare = static_cast<int64_t>(ids.size()) - context_;
    any_long |= spare > 0;
    if (!any_long && documents.seen() == documents.size()) {
      config_error("{}: no document is longer than one window of {} tokens", path_, context_);
    }
    // GPTQ's randint(0, spare - 1) is an error where spare is 0; such a document is passed over.
    if (spare <= 0) continue;
    const auto start = ids.begin() + random.randint(0, spare - 1);
    corpus.windows.emplace_back(start, start + context_);
  }
  corpus.convention = fmt::format(
      "C4 old: {} random windows of {} tokens out of {} documents, each tokenized alone with {}; "
      "Python random, seed 0",
      kWindows, context_, documents.size(), bos_words(context, bos_));
  return corpus;
}

}  // namespace wkvq
