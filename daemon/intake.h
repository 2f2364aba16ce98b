// What comes in from clients, looked at before anything is done with it: how much of it each user
// makes emud hold, and whether a descriptor could hold emud up.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "daemon/async.h"

namespace emud {

// Whether every close(2) of the descriptor may wait for somebody else, so that it is not taken, and
// how that is called in a message; empty: it does not. These are files that are not O_PATH of FUSE
// file systems (close sends FLUSH and waits for the server's answer: fs/fuse/file.c, fuse_flush),
// of network file systems where they are open for writing (nfs_file_flush), and of file systems
// emud cannot see; and sockets with SO_LINGER (socket(7)). The answer itself never waits.
[[nodiscard]] std::string why_it_may_block(int fd);

// Whether the last close(2) of an open file that is taken waits for nobody, whatever the client
// does to it meanwhile. Not so for sockets: in the queue of one of AF_UNIX others may wait, also
// with no byte beside them, and SO_LINGER can be set at any time.
[[nodiscard]] bool is_closed_at_once(int fd);

class MountTable;  // intake.cc

class Intake {
 public:
  // bytes, descriptors: what one user may make emud hold in messages that are not answered yet.
  Intake(const asio::any_io_executor& executor, std::size_t bytes, std::size_t descriptors);

  // One connection's share.
  class [[nodiscard]] Account {
   public:
    Account(Intake& intake, uid_t user) : intake_(intake), user_(user) {}
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;
    ~Account() {
      intake_.settle(*this, 0, 0);
      let_go();
    }

    // Between these the descriptors of a call may be in use.
    void call_begins() { is_busy_ = true; }
    void call_has_ended() { is_busy_ = false; }

    // To be called before each read and after it: what the connection holds now, and the
    // descriptors that are new. limit_exceeded, naming the limit; invalid_argument for a descriptor
    // that may block, which is closed by a process of its own. Both are the connection's end.
    [[nodiscard]] Result<> admit(std::size_t bytes, std::size_t descriptors,
                                 std::vector<UniqueFd>& received);

   private:
    friend class Intake;
    Intake& intake_;
    uid_t user_;
    std::size_t bytes_ = 0;
    std::size_t descriptors_ = 0;
    bool is_busy_ = false;
    // Of what was taken and is not closed at once: whoever closes the first descriptor is not the
    // last, and waits for nobody.
    std::vector<UniqueFd> seconds_;

    [[nodiscard]] bool take(std::vector<UniqueFd>& received, MountTable& mounts);
    void let_go();
  };

  // Closes a connection: elsewhere, where that may block.
  void close(UniqueFd socket, uid_t user);

  // limit_exceeded where so many of the user's descriptors are still being closed that no more are
  // taken.
  [[nodiscard]] Result<> may_connect(uid_t user) const;

 private:
  struct Held {
    std::size_t bytes = 0;
    std::size_t descriptors = 0;
  };

  // Replaces the account's share in its user's sum, which it returns.
  Held settle(Account& account, std::size_t bytes, std::size_t descriptors);
  void close_elsewhere(UniqueFd fd, uid_t user);
  [[nodiscard]] Task<void> see_it_end(Child closer, uid_t user);
  void close_by_exit(std::vector<UniqueFd> fds, uid_t user);
  [[nodiscard]] Task<void> close_by_exits(uid_t user);

  asio::any_io_executor executor_;
  std::size_t bytes_;
  std::size_t descriptors_;
  std::map<uid_t, Held> held_;
  std::map<uid_t, std::size_t> being_closed_;
  std::map<uid_t, std::vector<UniqueFd>> to_close_;  // by the process after the one at work
};

}  // namespace emud
