#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace wkvq {

/// Declares options once: a struct lists its fields in `void visit(OptionVisitor& v) { v("bits",
/// bits, "help"); }` and gets strict YAML reading (options_yaml.h), canonical YAML writing and help
/// from it. A field is a bool, int64_t, double, std::string, a vector of int64_t, a
/// choice (an enum with a list of names), a nested struct or a list of such structs.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;

  void operator()(const char* name, bool& value, const char* help) { field(name, value, help); }
  void operator()(const char* name, int64_t& value, const char* help) { field(name, value, help); }
  void operator()(const char* name, double& value, const char* help) { field(name, value, help); }
  void operator()(const char* name, std::string& value, const char* help) {
    field(name, value, help);
  }
  void operator()(const char* name, std::vector<int64_t>& value, const char* help) {
    field(name, value, help);
  }

  /// Nested options: any struct with `visit(OptionVisitor&)`.
  template <class T>
  requires requires(T& t, OptionVisitor& v) { t.visit(v); }
  void operator()(const char* name, T& nested, const char* help) {
    if (begin_struct(name, help)) nested.visit(*this);
    end_struct();
  }

  /// A list of nested options. A list that is given replaces the one there was: its items start
  /// from their defaults. Help explains one item.
  template <class T>
  requires requires(T& t, OptionVisitor& v) { t.visit(v); }
  void operator()(const char* name, std::vector<T>& items, const char* help) {
    if (purpose() == Purpose::kExplain) {
      T item;
      (*this)(name, item, help);
      return;
    }
    const std::optional<size_t> given = begin_list(name, items.size());
    if (given && purpose() == Purpose::kRead) items = std::vector<T>(*given);
    for (size_t i = 0; given && i < items.size(); ++i) {
      begin_item(i);
      items[i].visit(*this);
      end_struct();
    }
    end_list();
  }

  /// An enum whose values 0..n-1 are called names[0..n-1].
  template <class E>
  requires std::is_enum_v<E>
  void choice(const char* name, E& value, const std::vector<std::string>& names, const char* help) {
    int index = static_cast<int>(value);
    choice_field(name, index, names, help);
    value = static_cast<E>(index);
  }

  /// Reports a value that is well-formed but cannot be used, at the place of `name` (empty: of the
  /// struct itself). A reader throws ConfigError with file:line:column; writers ignore it.
  virtual void reject(const char* name, const std::string& why) = 0;

  /// What the visit is for: taking values in, writing out those in force, or explaining what there
  /// is.
  enum class Purpose { kRead, kWrite, kExplain };
  virtual Purpose purpose() const = 0;

 protected:
  virtual void field(const char* name, bool& value, const char* help) = 0;
  virtual void field(const char* name, int64_t& value, const char* help) = 0;
  virtual void field(const char* name, double& value, const char* help) = 0;
  virtual void field(const char* name, std::string& value, const char* help) = 0;
  virtual void field(const char* name, std::vector<int64_t>& value, const char* help) = 0;
  virtual void choice_field(const char* name, int& index, const std::vector<std::string>& names,
                            const char* help) = 0;
  /// Returns false where the nested struct is absent and keeps its defaults; end_struct() follows
  /// in either case.
  virtual bool begin_struct(const char* name, const char* help) = 0;
  virtual void end_struct() = 0;
  /// For visitors that read or write: the number of items of the list, which are visited between
  /// begin_item() and end_struct(); nothing where the list is absent and keeps its defaults.
  /// `count`: the items there are.
  virtual std::optional<size_t> begin_list(const char* /*name*/, size_t /*count*/) { return {}; }
  virtual void begin_item(size_t /*index*/) {}
  virtual void end_list() {}
};

}  // namespace wkvq
