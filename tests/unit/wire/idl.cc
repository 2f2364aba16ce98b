#include "wire/idl.h"

#include <cctype>
#include <stdexcept>

namespace emud::test {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Idl parse() {
    Idl idl;
    expect("interface");
    idl.name = next();
    for (std::string token = next(); !token.empty(); token = next()) {
      const std::string name = next();
      if (token == "type") {
        insert(idl.types, name);
      } else if (token == "error") {
        insert(idl.errors, name);
      } else if (token == "method") {
        insert(idl.calls, name);
        expect("->");
        insert(idl.replies, name);
      } else {
        throw std::runtime_error("unexpected " + token);
      }
    }
    return idl;
  }

 private:
  // A word, or one of ( ) , : ? [] -> ; empty at the end.
  std::string next() {
    while (!text_.empty() && (std::isspace(text_.front()) || text_.front() == '#')) {
      const bool comment = text_.front() == '#';
      text_.remove_prefix(comment ? std::min(text_.find('\n'), text_.size()) : 1);
    }
    std::size_t length = 0;
    while (length < text_.size() && (std::isalnum(text_[length]) || text_[length] == '.')) ++length;
    if (length == 0 && !text_.empty()) {
      length = text_.starts_with("->") || text_.starts_with("[]") ? 2 : 1;
    }
    const std::string token{text_.substr(0, length)};
    text_.remove_prefix(length);
    return token;
  }

  void expect(std::string_view wanted) {
    const std::string token = next();
    if (token != wanted) throw std::runtime_error(std::string{wanted} + " expected, not " + token);
  }

  void insert(std::map<std::string, IdlMembers>& where, const std::string& name) {
    if (!where.emplace(name, members()).second) throw std::runtime_error(name + " is there twice");
  }

  IdlMembers members() {
    expect("(");
    IdlMembers result;
    for (std::string token = next(); token != ")"; token = next()) {
      if (token == ",") token = next();
      IdlMember member{token, "", false, false};
      expect(":");
      token = next();
      if (token == "?") {
        member.optional = true;
        token = next();
      }
      if (token == "[]") {
        member.list = true;
        token = next();
      }
      member.type = token;
      result.push_back(member);
    }
    return result;
  }

  std::string_view text_;
};

}  // namespace

Idl parse_idl(std::string_view text) {
  return Parser{text}.parse();
}

}  // namespace emud::test
