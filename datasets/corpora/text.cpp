#include "datasets/corpora/text.h"

#include "core/base/error.h"
#include "datasets/corpora/documents.h"
#include "datasets/readers/text_file.h"

namespace wkvq {

void TextDataset::visit(OptionVisitor& v) {
  v("path", path_, "UTF-8 text file");
  v.choice("bos", bos_, bos_rule_names(),
           "BOS as the tokenizer's files ask, none, or one at the start");
  if (path_.empty()) v.reject("path", "expected a text file");
}

std::string TextDataset::summary() const {
  return "a UTF-8 file as one string, tokenized once";
}

std::string TextDataset::label() const {
  return std::filesystem::path(path_).stem().string();
}

Corpus TextDataset::load(const DatasetContext& context) const {
  Corpus corpus;
  const PlainText read = read_plain_text(path_);
  corpus.stream = encode_text(context, read.text, bos_);
  corpus.convention = fmt::format("text {}: whole file{}, tokenized once, {}", label(), read.note,
                                  bos_words(context, bos_));
  if (!read.warning.empty()) corpus.warnings.push_back(read.warning);
  corpus.documents = [path = path_, label = label()] {
    PlainText again = read_plain_text(path);
    return Documents{make_documents({std::move(again.text)}),
                     fmt::format("text {}: the whole file one document{}", label, again.note)};
  };
  return finish_corpus(std::move(corpus), context, path_);
}

}  // namespace wkvq
