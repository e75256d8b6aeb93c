// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Archives;

/// <summary>How hard it is to try a passphrase.</summary>
internal enum Stretch : byte
{
    /// <summary>65 536 bytes are hashed: for a <see cref="RecoveryKey"/>, which nobody can guess.</summary>
    OfAKey = 0x60,

    /// <summary>65 011 712 bytes are hashed, as <c>gpg</c> does: for what a person has made up.</summary>
    OfAPerson = 0xFF,
}

/// <summary>
/// The part of OpenPGP (RFC 9580) that an archive needs: one literal packet (tag 11) in a symmetrically encrypted, integrity protected packet (tag 18, version 1), whose
/// AES-256 key is
/// made from a passphrase (tag 3, version 4). Every <c>gpg</c> since 1.4 opens it.
/// </summary>
internal static class OpenPgp
{
    public const byte PassphrasePacket = 0xC0 | 3, EncryptedPacket = 0xC0 | 18, LiteralPacket = 0xC0 | 11;

    /// <summary>What precedes the SHA-1 of everything before it: the header of the modification detection packet (tag 19), 20 bytes long.</summary>
    public static ReadOnlySpan<byte> DetectionHeader => [0xC0 | 19, SHA1.HashSizeInBytes];

    public const int BlockBytes = 16, SaltBytes = 8, DetectionBytes = 2 + SHA1.HashSizeInBytes;

    /// <summary>Random bytes before the message, of which the last two are repeated.</summary>
    public const int PrefixBytes = BlockBytes + 2;

    private const byte Version4 = 4, Aes256 = 9, IteratedAndSalted = 3, Sha256 = 8;

    /// <summary>The packet that says how the key is made, without its header.</summary>
    public static byte[] Passphrase(ReadOnlySpan<byte> salt, Stretch stretch) => [Version4, Aes256, IteratedAndSalted, Sha256, .. salt, (byte)stretch];

    /// <summary>Salt and count of such a packet; null if it is not one of ours.</summary>
    public static (byte[] Salt, byte Count)? ReadPassphrase(ReadOnlySpan<byte> packet) =>
        packet.Length == 5 + SaltBytes && packet[..4].SequenceEqual((ReadOnlySpan<byte>)[Version4, Aes256, IteratedAndSalted, Sha256]) ? (packet[4..^1].ToArray(), packet[^1]) : null;

    /// <summary>RFC 9580, 3.7.1.3: salt and passphrase are hashed again and again until that many bytes are. SHA-256 gives exactly the 32 bytes of the key.</summary>
    public static byte[] KeyOf(string passphrase, ReadOnlySpan<byte> salt, byte count)
    {
        byte[] once = [.. salt, .. Encoding.UTF8.GetBytes(passphrase)];
        var left = Math.Max(once.Length, (16 + (count & 15)) << ((count >> 4) + 6));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (; left > 0; left -= once.Length) hash.AppendData(once.AsSpan(0, Math.Min(left, once.Length)));
        CryptographicOperations.ZeroMemory(once);
        return hash.GetHashAndReset();
    }

    /// <summary>Cipher feedback with whole blocks and a first block of zeros.</summary>
    public static Aes Cipher(byte[] key)
    {
        var aes = Aes.Create();
        (aes.Mode, aes.Padding, aes.FeedbackSize, aes.Key, aes.IV) = (CipherMode.CFB, PaddingMode.None, BlockBytes * 8, key, new byte[BlockBytes]);
        return aes;
    }
}

/// <summary>Encrypts what is written to it. The message is whole only after <see cref="Finish"/>. Needs 200 KiB, however long the message is.</summary>
internal sealed class OpenPgpWriter : WriteOnlyStream
{
    private readonly ChunkedPacket _encrypted, _literal;
    private readonly Encryptor _encryptor;

    public OpenPgpWriter(Stream to, string passphrase, Stretch stretch)
    {
        var salt = RandomNumberGenerator.GetBytes(OpenPgp.SaltBytes);
        var packet = OpenPgp.Passphrase(salt, stretch);
        to.Write([OpenPgp.PassphrasePacket, (byte)packet.Length]);
        to.Write(packet);
        _encrypted = new(to, OpenPgp.EncryptedPacket);
        // The version of the packet, in clear.
        _encrypted.Write([1]);
        _encryptor = new(_encrypted, OpenPgp.KeyOf(passphrase, salt, (byte)stretch));
        Span<byte> prefix = stackalloc byte[OpenPgp.PrefixBytes];
        RandomNumberGenerator.Fill(prefix[..OpenPgp.BlockBytes]);
        prefix[(OpenPgp.BlockBytes - 2)..OpenPgp.BlockBytes].CopyTo(prefix[OpenPgp.BlockBytes..]);
        _encryptor.Write(prefix);
        _literal = new(_encryptor, OpenPgp.LiteralPacket);
        // Binary, without a name and a date.
        _literal.Write([(byte)'b', 0, 0, 0, 0, 0]);
    }

    public override void Write(ReadOnlySpan<byte> buffer) => _literal.Write(buffer);

    /// <summary>Writes the end, by which a reader sees that nothing is missing and nothing was changed.</summary>
    public void Finish()
    {
        _literal.Finish();
        _encryptor.Finish();
        _encrypted.Finish();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _encryptor.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>A packet of unknown length: parts of 64 KiB, and the rest.</summary>
    private sealed class ChunkedPacket(Stream to, byte tag) : WriteOnlyStream
    {
        /// <summary>RFC 9580, 4.2.1.4: 224 and the power of two.</summary>
        private const int Power = 16;

        private readonly byte[] _part = new byte[1 << Power];
        private bool _begun;
        private int _held;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (buffer.Length > 0)
            {
                if (_held == _part.Length) Send([224 + Power]);
                var taken = Math.Min(buffer.Length, _part.Length - _held);
                buffer[..taken].CopyTo(_part.AsSpan(_held));
                _held += taken;
                buffer = buffer[taken..];
            }
        }

        public void Finish() => Send(_held < 192 ? [(byte)_held] : [0xFF, (byte)(_held >> 24), (byte)(_held >> 16), (byte)(_held >> 8), (byte)_held]);

        private void Send(ReadOnlySpan<byte> length)
        {
            if (!_begun) to.Write([tag]);
            _begun = true;
            to.Write(length);
            to.Write(_part.AsSpan(0, _held));
            _held = 0;
        }
    }

    private sealed class Encryptor : WriteOnlyStream
    {
        private readonly Stream _to;
        private readonly Aes _aes;
        private readonly ICryptoTransform _transform;
        private readonly IncrementalHash _clear = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        private readonly byte[] _held = new byte[OpenPgp.BlockBytes * 1024], _made = new byte[OpenPgp.BlockBytes * 1024];
        private int _count;

        public Encryptor(Stream to, byte[] key)
        {
            (_to, _aes) = (to, OpenPgp.Cipher(key));
            _transform = _aes.CreateEncryptor();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _clear.AppendData(buffer);
            Encrypt(buffer);
        }

        public void Finish()
        {
            Write(OpenPgp.DetectionHeader);
            Encrypt(_clear.GetHashAndReset());
            // The last block may be a part of one: cipher feedback encrypts each byte by itself.
            var whole = (_count + OpenPgp.BlockBytes - 1) / OpenPgp.BlockBytes * OpenPgp.BlockBytes;
            _held.AsSpan(_count, whole - _count).Clear();
            _transform.TransformBlock(_held, 0, whole, _made, 0);
            _to.Write(_made.AsSpan(0, _count));
        }

        private void Encrypt(ReadOnlySpan<byte> buffer)
        {
            while (buffer.Length > 0)
            {
                if (_count == _held.Length)
                {
                    _transform.TransformBlock(_held, 0, _count, _made, 0);
                    _to.Write(_made);
                    _count = 0;
                }

                var taken = Math.Min(buffer.Length, _held.Length - _count);
                buffer[..taken].CopyTo(_held.AsSpan(_count));
                _count += taken;
                buffer = buffer[taken..];
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _transform.Dispose();
                _aes.Dispose();
                _clear.Dispose();
                CryptographicOperations.ZeroMemory(_held);
            }

            base.Dispose(disposing);
        }
    }
}
