#include "datasets/corpora/jsonl.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "datasets/corpora/documents.h"
#include "datasets/readers/text_file.h"

namespace wkvq {

namespace {

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void JsonlDataset::visit(OptionVisitor& v) {
  v("path", path_, "JSON-lines file");
  v("field", field_, "the field that holds a document's text");
  v("separator", separator_, "text between documents; unused where BOS or EOS separates them");
  v.choice("bos", bos_, {"tokenizer", "none", "start", "document"},
           "BOS as the tokenizer's files ask, none, one at the start, one before every document");
  v("eos", eos_, "EOS after every document");
  v("limit", limit_, "documents to read, 0: all");
  if (path_.empty()) v.reject("path", "expected a JSON-lines file");
  if (limit_ < 0) v.reject("limit", "expected 0 (all) or more");
  if (one_by_one() && separator_ != kDefaultSeparator) {
    v.reject("separator", "documents are separated by BOS or EOS tokens; leave it out");
  }
}

std::string JsonlDataset::summary() const {
  return "a text field of every line of a JSON-lines file";
}

std::string JsonlDataset::label() const {
  return std::filesystem::path(path_).stem().string();
}

BosRule JsonlDataset::start_rule() const {
  return bos_ == Bos::kDocument ? BosRule::kStart : static_cast<BosRule>(bos_);
}

std::vector<int32_t> JsonlDataset::encode_one_by_one(
    const DatasetContext& context, const std::vector<std::string>& documents) const {
  std::vector<int32_t> stream;
  for (const std::string& document : documents) {
    const bool first = stream.empty();
    const BosRule rule = first || bos_ == Bos::kDocument ? start_rule() : BosRule::kNone;
    const auto ids = encode_text(context, document, rule);
    stream.insert(stream.end(), ids.begin(), ids.end());
    if (eos_) stream.push_back(static_cast<int32_t>(context.tokenizer->eos_token()));
  }
  return stream;
}

Corpus JsonlDataset::load(const DatasetContext& context) const {
  const auto documents = read_jsonl(path_, field_, limit_);
  if (eos_ && context.tokenizer && context.tokenizer->eos_token() < 0) {
    config_error("{}: eos: true, but the tokenizer of model '{}' has no EOS token", path_,
                 context.model_name);
  }
  Corpus corpus;
  std::string words;
  if (one_by_one()) {
    corpus.stream = encode_one_by_one(context, documents);
    words = fmt::format(
        "tokenized one by one, {}{}",
        bos_ == Bos::kDocument ? "BOS before every document" : bos_words(context, start_rule()),
        eos_ ? ", EOS after every document" : "");
  } else {
    std::string text = documents.front();
    for (size_t i = 1; i < documents.size(); ++i) text += separator_ + documents[i];
    corpus.stream = encode_text(context, text, start_rule());
    words = fmt::format("joined by {}, tokenized once, {}", quoted(separator_),
                        bos_words(context, start_rule()));
  }
  corpus.convention = fmt::format("jsonl {}: field '{}' of {} documents, {}", label(), field_,
                                  documents.size(), words);
  corpus.documents = [self = *this] {
    Documents read{make_documents(read_jsonl(self.path_, self.field_, self.limit_)), {}};
    read.convention = fmt::format("jsonl {}: field '{}' of {} documents, each alone", self.label(),
                                  self.field_, read.items.size());
    return read;
  };
  return finish_corpus(std::move(corpus), context, path_);
}

}  // namespace wkvq
