#include "datasets/tasks/likelihood/cloze.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "datasets/random/random.h"

namespace wkvq {

namespace {

using Tokens = std::vector<int32_t>;

// Every place where `length` tokens lie in one piece, numbered through all pieces of a corpus.
class Spans {
 public:
  Spans(const std::vector<const Tokens*>& pieces, int64_t length)
      : pieces_(pieces), length_(length) {
    for (const Tokens* piece : pieces) {
      total_ += std::max<int64_t>(0, static_cast<int64_t>(piece->size()) - length + 1);
      ends_.push_back(total_);
    }
  }

  int64_t count() const { return total_; }
  int64_t length() const { return length_; }

  struct Place {
    size_t piece;
    int64_t start;
  };
  Place place(int64_t index) const {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), index);
    const size_t piece = static_cast<size_t>(end - ends_.begin());
    return {piece, index - (piece == 0 ? 0 : ends_[piece - 1])};
  }
  Tokens tokens(const Place& place) const {
    const auto first = pieces_[place.piece]->begin() + place.start;
    return {first, first + length_};
  }

 private:
  const std::vector<const Tokens*>& pieces_;
  int64_t length_;
  int64_t total_ = 0;
  std::vector<int64_t> ends_;
};

std::vector<const Tokens*> pieces_of(const Corpus& corpus) {
  std::vector<const Tokens*> pieces;
  if (corpus.windows.empty()) pieces.push_back(&corpus.stream);
  for (const Tokens& window : corpus.windows) pieces.push_back(&window);
  return pieces;
}

// `count` different numbers below `total` (Floyd's algorithm: as many draws as numbers).
std::vector<int64_t> draw_distinct(int64_t count, int64_t total, BoundedRandom& random) {
  std::set<int64_t> taken;
  std::vector<int64_t> drawn;
  for (int64_t last = total - count; last < total; ++last) {
    const int64_t draw = random.below(last + 1);
    drawn.push_back(taken.insert(draw).second ? draw : last);
    taken.insert(drawn.back());
  }
  return drawn;
}

// Continuations from elsewhere: none overlaps the question, and no two choices are equal.
std::vector<Tokens> draw_wrong(const Spans& continuations, const Spans::Place& question,
                               const Tokens& question_tokens, BoundedRandom& random) {
  // Far more than any corpus needs that holds four different continuations in fair numbers.
  constexpr int kAttempts = 10000;
  const int64_t whole = static_cast<int64_t>(question_tokens.size());
  const int64_t length = continuations.length();
  const Tokens right(question_tokens.end() - length, question_tokens.end());
  std::vector<Tokens> wrong;
  for (int i = 0; i < kAttempts && wrong.size() + 1 < ClozeTask::kChoices; ++i) {
    const Spans::Place place = continuations.place(random.below(continuations.count()));
    const int64_t distance = place.start - question.start;
    if (place.piece == question.piece && distance > -length && distance < whole) continue;
    Tokens tokens = continuations.tokens(place);
    if (tokens == right || std::count(wrong.begin(), wrong.end(), tokens) > 0) continue;
    wrong.push_back(std::move(tokens));
  }
  if (wrong.size() + 1 < ClozeTask::kChoices) {
    config_error(
        "cloze: the corpus does not hold {} different continuations of {} tokens beside "
        "the {} of a question",
        ClozeTask::kChoices, length, whole);
  }
  return wrong;
}

}  // namespace

void ClozeTask::visit(OptionVisitor& v) {
  constexpr int64_t kMost = kMostTokens;
  v("items", items_, "questions");
  v("context", length_, "tokens of the context");
  v("continuation", continuation_, "tokens of a continuation");
  v("seed", seed_, "seed of the choice of questions and wrong continuations");
  if (items_ < 1) v.reject("items", "expected 1 or more");
  if (length_ < 1 || length_ > kMost) v.reject("context", "expected 1..2^24");
  if (continuation_ < 1 || continuation_ > kMost) v.reject("continuation", "expected 1..2^24");
  check_at_most(v, "items", items_, kMostSamples);
  check_tokens_in_all(v, "items", items_, kChoices * (length_ + continuation_));
}

std::string ClozeTask::summary() const {
  return "which of four continuations follows, three of them from elsewhere in the corpus";
}

std::vector<Request> ClozeTask::prepare(const TaskInputs& inputs) {
  const Corpus& corpus = *inputs.corpus;
  const int64_t whole = length_ + continuation_;
  if (whole > inputs.most()) {
    config_error("cloze: context {} + continuation {} tokens, but the model reads at most {}",
                 length_, continuation_, inputs.most());
  }
  const auto pieces = pieces_of(corpus);
  const Spans questions(pieces, whole);
  const Spans continuations(pieces, continuation_);
  if (questions.count() < items_) {
    config_error("cloze: text too short: it has {} places for {} + {} tokens, {} items asked for",
                 questions.count(), length_, continuation_, items_);
  }
  BoundedRandom random(seed_);
  questions_.clear();
  std::vector<Request> requests;
  for (const int64_t index : draw_distinct(items_, questions.count(), random)) {
    const Spans::Place place = questions.place(index);
    const Tokens question = questions.tokens(place);
    const Tokens context(question.begin(), question.begin() + length_);
    const Tokens right(question.begin() + length_, question.end());
    auto choices = draw_wrong(continuations, place, question, random);
    const auto item = static_cast<int64_t>(questions_.size());
    const int64_t label = random.below(kChoices);
    questions_.push_back({item, requests.size(), kChoices, label, {}});
    choices.insert(choices.begin() + label, right);
    for (const Tokens& choice : choices) {
      Tokens tokens = context;
      tokens.insert(tokens.end(), choice.begin(), choice.end());
      requests.push_back({std::move(tokens), length_, length_, item});
    }
  }
  convention_ = fmt::format(
      "cloze: {} items, context {} tokens, {} continuations of {} tokens, {} of them from "
      "elsewhere in the corpus, seed {}, arg max of the summed log-likelihood; {}",
      items_, length_, kChoices, continuation_, kChoices - 1, seed_, corpus.convention);
  return requests;
}

std::vector<Metric> ClozeTask::score(const std::vector<Scored>& scored) const {
  if (scored.size() != kChoices * questions_.size()) {
    throw std::logic_error("cloze: not one answer for every request");
  }
  return {choice_accuracy(ChoiceRule::kAcc, scored, questions_, convention_)};
}

}  // namespace wkvq
