#include "datasets/corpora/documents.h"

#include "datasets/tokenizers/unicode.h"

namespace wkvq {

namespace {

/// Bytes of the white space of Python's \s at the front of `text`.
size_t python_space(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const auto byte = static_cast<unsigned char>(text[size]);
    const size_t space = byte >= 0x1C && byte <= 0x1F ? 1 : leading_space(text.substr(size));
    if (space == 0) break;
    size += space;
  }
  return size;
}

}  // namespace

int64_t count_words(std::string_view text) {
  int64_t words = 1;
  while (!text.empty()) {
    const size_t space = python_space(text);
    words += space > 0 ? 1 : 0;
    text.remove_prefix(space > 0 ? space : character_length(text[0]));
  }
  return words;
}

std::string_view strip_space(std::string_view text) {
  text.remove_prefix(python_space(text));
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.back());
    const size_t space = byte >= 0x1C && byte <= 0x1F ? 1 : trailing_space(text);
    if (space == 0) break;
    text.remove_suffix(space);
  }
  return text;
}

Document make_document(std::string text, std::string_view original) {
  return {std::move(text), count_words(original), static_cast<int64_t>(original.size())};
}

std::vector<Document> make_documents(std::vector<std::string> texts) {
  std::vector<Document> documents;
  for (std::string& text : texts) {
    Document document = make_document({}, text);
    document.text = std::move(text);
    documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace wkvq
