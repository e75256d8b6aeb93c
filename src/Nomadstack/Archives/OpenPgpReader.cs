// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using Nomadstack.Cluster;

namespace Nomadstack.Archives;

/// <summary>
/// Decrypts a message of <see cref="OpenPgpWriter"/>. Reading its last byte proves the whole: until then, what was read may have been changed by somebody. Needs 100 KiB,
/// however long it is.
/// </summary>
internal sealed class OpenPgpReader : ReadOnlyStream
{
    private readonly Decryptor _decryptor;
    private readonly ChunkedPacket _literal;

    /// <param name="name">What is read, for problems.</param>
    /// <exception cref="ProblemException"><c>archive/foreign</c>, <c>archive/truncated</c>, <c>archive/wrong-key</c>.</exception>
    public OpenPgpReader(Stream from, string name, string passphrase)
    {
        if (from.ReadByte() != OpenPgp.PassphrasePacket || from.ReadByte() is not (> 0 and < 192 and var length)) throw new ProblemException(ArchiveProblems.Foreign(name));
        var packet = new byte[length];
        if (from.ReadAtLeast(packet, length, throwOnEndOfStream: false) < length) throw new ProblemException(ArchiveProblems.Truncated(name));
        if (OpenPgp.ReadPassphrase(packet) is not var (salt, count)) throw new ProblemException(ArchiveProblems.Foreign(name));
        var encrypted = new ChunkedPacket(from, OpenPgp.EncryptedPacket, name);
        if (encrypted.ReadByte() != 1) throw new ProblemException(ArchiveProblems.Foreign(name));
        _decryptor = new(encrypted, OpenPgp.KeyOf(passphrase, salt, count), name);
        try
        {
            Span<byte> prefix = stackalloc byte[OpenPgp.PrefixBytes];
            _decryptor.ReadExactly(prefix);
            if (!prefix[(OpenPgp.BlockBytes - 2)..OpenPgp.BlockBytes].SequenceEqual(prefix[OpenPgp.BlockBytes..])) throw new ProblemException(ArchiveProblems.WrongKey(name));
            _literal = new(_decryptor, OpenPgp.LiteralPacket, name);
            Span<byte> head = stackalloc byte[6];
            _literal.ReadExactly(head);
            if (head[0] != 'b' || head[1] != 0) throw new ProblemException(ArchiveProblems.Corrupted(name, "Its message is not one of ours."));
        }
        catch (EndOfStreamException e)
        {
            _decryptor.Dispose();
            throw new ProblemException(ArchiveProblems.Truncated(name), e);
        }
        catch
        {
            _decryptor.Dispose();
            throw;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        if (buffer.Length == 0) return 0;
        var read = _literal.Read(buffer);
        if (read == 0) _decryptor.ExpectEnd();
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _decryptor.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>The body of a packet in parts.</summary>
    private sealed class ChunkedPacket : ReadOnlyStream
    {
        private readonly Stream _from;
        private readonly string _name;
        private long _left;
        private bool _last;

        public ChunkedPacket(Stream from, byte tag, string name)
        {
            (_from, _name) = (from, name);
            var first = from.ReadByte();
            if (first < 0) throw new ProblemException(ArchiveProblems.Truncated(name));
            if (first != tag) throw new ProblemException(ArchiveProblems.Corrupted(name, "A packet in it is not the expected one."));
            NextPart();
        }

        public override int Read(Span<byte> buffer)
        {
            while (_left == 0)
            {
                if (_last) return 0;
                NextPart();
            }

            var read = _from.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
            if (read == 0 && buffer.Length > 0) throw new ProblemException(ArchiveProblems.Truncated(_name));
            _left -= read;
            return read;
        }

        private void NextPart()
        {
            var first = Byte();
            (_left, _last) = first switch
            {
                < 192 => ((long)first, true),
                < 224 => (((first - 192) << 8) + Byte() + 192, true),
                0xFF => (((long)Byte() << 24) | ((long)Byte() << 16) | ((long)Byte() << 8) | (long)Byte(), true),
                _ => (1L << (first & 31), false),
            };
        }

        private int Byte() => _from.ReadByte() is >= 0 and var read ? read : throw new ProblemException(ArchiveProblems.Truncated(_name));
    }

    /// <summary>Holds back the last bytes, which prove all before them.</summary>
    private sealed class Decryptor : ReadOnlyStream
    {
        private readonly Stream _from;
        private readonly string _name;
        private readonly Aes _aes;
        private readonly ICryptoTransform _transform;
        private readonly IncrementalHash _clear = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        private readonly byte[] _sealed = new byte[OpenPgp.BlockBytes * 1024], _made = new byte[OpenPgp.BlockBytes * 1024], _open = new byte[OpenPgp.BlockBytes * 1024 + OpenPgp.DetectionBytes];
        private int _at, _count;
        private bool _ended;

        public Decryptor(Stream from, byte[] key, string name)
        {
            (_from, _name, _aes) = (from, name, OpenPgp.Cipher(key));
            _transform = _aes.CreateDecryptor();
        }

        public override int Read(Span<byte> buffer)
        {
            while (_count - _at <= OpenPgp.DetectionBytes && !_ended) Fill();
            var read = Math.Min(buffer.Length, _count - _at - OpenPgp.DetectionBytes);
            if (read <= 0) return 0;
            _open.AsSpan(_at, read).CopyTo(buffer);
            _clear.AppendData(_open, _at, read);
            _at += read;
            return read;
        }

        /// <exception cref="ProblemException"><c>archive/corrupted</c>.</exception>
        public void ExpectEnd()
        {
            Span<byte> more = stackalloc byte[1];
            if (Read(more) > 0 || _count - _at != OpenPgp.DetectionBytes) throw new ProblemException(ArchiveProblems.Corrupted(_name, "Something follows its message."));
            var proof = _open.AsSpan(_at, OpenPgp.DetectionBytes);
            _clear.AppendData(OpenPgp.DetectionHeader);
            if (!proof[..2].SequenceEqual(OpenPgp.DetectionHeader) || !CryptographicOperations.FixedTimeEquals(proof[2..], _clear.GetCurrentHash()))
                throw new ProblemException(ArchiveProblems.Corrupted(_name, "Its bytes do not match the sum at its end."));
        }

        private void Fill()
        {
            _open.AsSpan(_at, _count - _at).CopyTo(_open);
            (_count, _at) = (_count - _at, 0);
            var read = _from.ReadAtLeast(_sealed, _sealed.Length, throwOnEndOfStream: false);
            _ended = read < _sealed.Length;
            var whole = (read + OpenPgp.BlockBytes - 1) / OpenPgp.BlockBytes * OpenPgp.BlockBytes;
            _sealed.AsSpan(read, whole - read).Clear();
            if (whole == 0) return;
            _transform.TransformBlock(_sealed, 0, whole, _made, 0);
            _made.AsSpan(0, read).CopyTo(_open.AsSpan(_count));
            _count += read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _transform.Dispose();
                _aes.Dispose();
                _clear.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
