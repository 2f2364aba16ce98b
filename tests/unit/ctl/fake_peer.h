// The other side of a conversation, in a process of its own so that signals meet only emuctl's
// side.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "wire/channel.h"
#include "wire/messages.h"

namespace emud::ctl::test {

// Runs `play` in a child with one end of a socket pair; socket() is the other end. The child is
// killed and reaped with its owner.
class FakePeer {
 public:
  explicit FakePeer(const std::function<void(UniqueFd)>& play);
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;
  ~FakePeer();

  [[nodiscard]] UniqueFd socket() { return std::move(socket_); }

 private:
  pid_t child_ = -1;
  UniqueFd socket_;
};

// A child that runs `play` and exits with what it returns. The result is its exit status, or 128+N.
[[nodiscard]] int status_of_child(const std::function<int()>& play);

// A fake keeper's or daemon's side.
[[nodiscard]] wire::Call receive_call(Channel& channel);
void send_reply(Channel& channel, std::string_view parameters, bool continues = false,
                std::vector<UniqueFd> fds = {});
void send_error(Channel& channel, std::string_view error, std::string_view parameters);

// Writes it raw; whether all of it went does not matter to the test.
void say(int fd, std::string_view bytes);

// A directory that is removed with its owner.
class Directory {
 public:
  Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A socket that listens at that path, and where nobody ever accepts.
[[nodiscard]] UniqueFd listen_at(const std::string& path);

}  // namespace emud::ctl::test
