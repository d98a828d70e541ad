#include "methods/gptq/rounding_options.h"

namespace wkvq {

void RoundingOptions::visit(OptionVisitor& v) {
  v.choice("rounding", kind, {"nearest", "gptq"}, "how weights are rounded");
  struct Nested {
    GptqOptions& solver;
    bool& true_sequential;
    void visit(OptionVisitor& inner) {
      solver.visit(inner);
      inner("true_sequential", true_sequential, "later linears see earlier ones quantized");
    }
  } nested{solver, true_sequential};
  v("gptq", nested, "options of rounding: gptq");
}

}  // namespace wkvq
