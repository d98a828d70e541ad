#include "analysis/figures/evaluations.h"

#include <algorithm>

#include "analysis/tables/text_width.h"

namespace wkvq {

std::vector<EvaluationGroup> evaluation_groups(
    const FigureInput& input, size_t most, const std::function<bool(const Evaluation&)>& wanted) {
  std::vector<EvaluationGroup> groups;
  for (size_t i = 0; i < input.runs.size(); ++i)
    for (const Evaluation& evaluation : input.runs[i]->evaluations) {
      if (!wanted(evaluation)) continue;
      const std::string title =
          printable(evaluation.metric + ", " + evaluation.dataset +
                    (evaluation.kv_mode.empty() ? "" : ", kv ") + evaluation.kv_mode);
      const std::string convention = printable(evaluation.convention);
      auto group = std::ranges::find_if(groups, [&](const EvaluationGroup& one) {
        return one.title == title && one.convention == convention;
      });
      if (group == groups.end() && groups.size() == most) continue;
      if (group == groups.end()) group = groups.insert(group, {title, convention, {}});
      group->members.push_back({i, &evaluation});
    }
  return groups;
}

bool is_kl(const Evaluation& evaluation) {
  return evaluation.metric == "kl" || evaluation.metric.ends_with("_kl");
}

bool is_perplexity(const Evaluation& evaluation) {
  return evaluation.metric.ends_with("perplexity");
}

}  // namespace wkvq
