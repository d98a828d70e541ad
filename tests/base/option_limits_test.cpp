#include "core/base/options/option_limits.h"

#include "core/base/options/options_yaml.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

struct Text {
  int64_t samples = 1, length = 2;
  void visit(OptionVisitor& v) {
    v("samples", samples, "");
    v("length", length, "");
    check_at_most(v, "samples", samples, kMostSamples);
    check_at_most(v, "length", length, kMostTokens);
    check_tokens_in_all(v, "samples", samples, length);
  }
};

std::string refusal(const std::string& yaml) {
  const YamlNode node = parse_yaml(yaml, "s.yaml");
  Text text;
  return test::error_of([&] { read_options(node, "text", text); });
}

}  // namespace

TEST_CASE("option limits: each number and their product") {
  CHECK(refusal("{samples: 1048576, length: 256}").empty());
  CHECK(refusal("{samples: 16, length: 16777216}").empty());
  CHECK(refusal("{samples: 1048577}") ==
        "s.yaml:1:11: text.samples: 1048577; expected at most 1048576");
  CHECK(refusal("{length: 4611686018427387904}") ==
        "s.yaml:1:10: text.length: 4611686018427387904; expected at most 16777216");
  CHECK(refusal("{samples: 1048576, length: 257}") ==
        "s.yaml:1:11: text.samples: 1048576 sequences of 257 tokens; expected at most 268435456 "
        "tokens in all");
}
