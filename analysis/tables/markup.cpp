#include "analysis/tables/markup.h"

#include "analysis/tables/text_width.h"

namespace wkvq {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char letter : printable(text)) switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += letter;
    }
  return result;
}

std::string script_safe(const std::string& json) {
  std::string result;
  for (const char letter : json)
    if (letter == '<')
      result += "\\u003c";
    else
      result += letter;
  return result;
}

}  // namespace wkvq
